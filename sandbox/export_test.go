package sandbox

import "fmt"

// AllowAll makes the sandboxes of this test binary start Deno with every permission
// until restore is called, so that nothing holds but what is under it. Profiles'
// own flags still come after these.
func AllowAll() (restore func()) {
	kept := denoFlags
	denoFlags = func(memoryMB int) []string {
		return []string{
			"run", "-A", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--node-modules-dir=none",
			fmt.Sprintf("--v8-flags=--max-old-space-size=%d", memoryMB),
		}
	}
	return func() { denoFlags = kept }
}
