package sandbox

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Permissions are what programs may do besides computing and calling. The zero
// value is nothing. They are the host's to give: no program and no model can ask
// for them. Each entry is checked; one that Deno would read as more than it says is
// refused.
type Permissions struct {
	// Net are hosts that may be connected to: "api.example.com",
	// "api.example.com:443", "192.0.2.7", "[2001:db8::1]:443". A name that resolves
	// to a loopback, private, link-local or metadata address of IPv4, or to loopback
	// of IPv6, is refused when it is connected to, unless an address of that range,
	// or "localhost", is granted too.
	Net []string
	// Read and Write are absolute paths of files and folders, each with what is
	// below it. A path is followed through its symbolic links when the sandbox is
	// made; links inside a granted folder that lead out of it are an error then.
	Read, Write []string
	// Env are names of environment variables of this process that programs may
	// read.
	Env []string
	// Run are programs that may be started, FFI libraries that may be loaded. Both
	// amount to everything that this process's user may do, as such a program or
	// library is bound by none of the other permissions.
	Run, FFI []string
	// Sys are names of system facts, such as "hostname", as Deno names them.
	Sys []string
	// Import are hosts that modules may be imported from at run time. What is
	// imported has the program's permissions; the requests can carry data out.
	Import []string
}

var (
	hostName = regexp.MustCompile(`^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$`)
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	sysName  = regexp.MustCompile(`^[a-zA-Z]+$`)
)

// flags checks the permissions and turns them into Deno's.
func (p *Permissions) flags() ([]string, error) {
	var flags []string
	var problems []error
	grant := func(field, flag string, entries []string, check func(string) (string, error)) {
		var checked []string
		for _, entry := range entries {
			c, err := check(entry)
			if err == nil && strings.ContainsAny(c, ",\x00\n") {
				err = errors.New("it holds a comma or a line break, which Deno cannot tell from the next entry")
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("sandbox: Permissions.%s: %q: %w", field, entry, err))
				continue
			}
			checked = append(checked, c)
		}
		if len(checked) > 0 {
			flags = append(flags, flag+"="+strings.Join(checked, ","))
		}
	}
	grant("Net", "--allow-net", p.Net, checkHost)
	grant("Read", "--allow-read", p.Read, checkPath)
	grant("Write", "--allow-write", p.Write, checkPath)
	grant("Env", "--allow-env", p.Env, matches(envName, "want the name of a variable"))
	grant("Run", "--allow-run", p.Run, notEmpty)
	grant("FFI", "--allow-ffi", p.FFI, checkPath)
	grant("Sys", "--allow-sys", p.Sys, matches(sysName, "want a name such as hostname"))
	grant("Import", "--allow-import", p.Import, checkHost)
	if len(p.Import) == 0 {
		// Without --deny-import Deno has a list of hosts that it allows, and their
		// URLs could carry data out.
		flags = append(flags, "--no-remote", "--deny-import")
	}
	if denied := deniedNetworks(append(slices.Clone(p.Net), p.Import...)); len(p.Net)+len(p.Import) > 0 && len(denied) > 0 {
		flags = append(flags, "--deny-net="+strings.Join(denied, ","))
	}
	return flags, errors.Join(problems...)
}

func matches(pattern *regexp.Regexp, want string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !pattern.MatchString(s) {
			return "", errors.New(want)
		}
		return s, nil
	}
}

func notEmpty(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", errors.New("it is empty, which Deno would read as everything")
	}
	return s, nil
}

var portNumber = regexp.MustCompile(`^[0-9]{1,5}$`)

// checkHost accepts a name or an address, with a port or without.
func checkHost(entry string) (string, error) {
	host, port := splitPort(entry)
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		bare, bracketed = strings.CutSuffix(bare, "]")
	}
	addr, err := netip.ParseAddr(bare)
	switch {
	case err == nil && addr.Is6() != bracketed, err != nil && !hostName.MatchString(host):
		return "", errors.New("want a host name or an address (IPv6 in brackets), with a port or without; wildcards and URLs are not accepted")
	case strings.HasSuffix(entry, ":"), port != "" && !portNumber.MatchString(port):
		return "", errors.New("want a port number behind the colon")
	}
	return entry, nil
}

func splitPort(entry string) (host, port string) {
	if end := strings.IndexByte(entry, ']'); strings.HasPrefix(entry, "[") && end > 0 {
		return entry[:end+1], strings.TrimPrefix(entry[end+1:], ":")
	}
	if strings.Count(entry, ":") == 1 {
		host, port, _ = strings.Cut(entry, ":")
		return host, port
	}
	return entry, ""
}

// innerNetworks are the addresses that a public name has no business to resolve
// to: loopback, private, link-local (which includes the metadata services of
// clouds), shared and unspecified ones. Deno takes ranges for IPv4 only, so of
// IPv6 they are single addresses.
var innerNetworks = []string{
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
	"[::]", "[::1]", "[fd00:ec2::254]",
}

// deniedNetworks are the inner networks in which nothing was granted by address.
func deniedNetworks(granted []string) []string {
	var denied []string
	for _, network := range innerNetworks {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			addr := netip.MustParseAddr(strings.Trim(network, "[]"))
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if !slices.ContainsFunc(granted, func(entry string) bool {
			host, _ := splitPort(entry)
			if host == "localhost" {
				return prefix.Contains(netip.MustParseAddr("127.0.0.1")) || prefix.Contains(netip.IPv6Loopback())
			}
			addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
			return err == nil && prefix.Contains(addr.Unmap())
		}) {
			denied = append(denied, network)
		}
	}
	return denied
}

// checkPath follows the symbolic links of a path that must exist.
func checkPath(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", errors.New("want an absolute path")
	}
	return filepath.EvalSymlinks(path)
}
