package jail

// Runtime returns the policy under which the executable can start and compute, and
// nothing else: it may execute itself and its program loader, and read the folders
// of the libraries it is linked with, the loader's cache, the table of time zones
// and what the kernel says of its processors and its source of randomness. On
// systems without layers it is the zero policy.
//
// Nothing of /proc is among it. A rule names a folder, not what "self" will be for
// the program, and Deno does without.
func Runtime(executable string) (Policy, error) { return runtimePolicy(executable) }
