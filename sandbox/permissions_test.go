package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPermissionFlags(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(dir, "real")
	link := filepath.Join(dir, "link")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	inner := "--deny-net=" + strings.Join(innerNetworks, ",")
	for _, test := range []struct {
		name  string
		given Permissions
		want  []string
		err   string
	}{
		{name: "nothing", want: []string{"--no-remote", "--deny-import"}},
		{name: "hosts", given: Permissions{Net: []string{"api.example.com", "a.example:443"}}, want: []string{"--allow-net=api.example.com,a.example:443", "--no-remote", "--deny-import", inner}},
		{name: "import", given: Permissions{Import: []string{"esm.example"}}, want: []string{"--allow-import=esm.example", inner}},
		{name: "loopback by name", given: Permissions{Net: []string{"localhost:8080"}}, want: []string{"--allow-net=localhost:8080", "--no-remote", "--deny-import", strings.NewReplacer("127.0.0.0/8,", "", "[::1],", "").Replace(inner)}},
		{name: "private address", given: Permissions{Net: []string{"10.1.2.3"}}, want: []string{"--allow-net=10.1.2.3", "--no-remote", "--deny-import", strings.Replace(inner, "10.0.0.0/8,", "", 1)}},
		{name: "link to a folder", given: Permissions{Read: []string{link}}, want: []string{"--allow-read=" + real, "--no-remote", "--deny-import"}},
		{name: "variables and facts", given: Permissions{Env: []string{"LANG"}, Sys: []string{"hostname"}}, want: []string{"--allow-env=LANG", "--allow-sys=hostname", "--no-remote", "--deny-import"}},

		{name: "no host", given: Permissions{Net: []string{""}}, err: `Permissions.Net: "": want a host name`},
		{name: "wildcard", given: Permissions{Net: []string{"*.example.com"}}, err: "wildcards and URLs are not accepted"},
		{name: "URL", given: Permissions{Net: []string{"https://a.example/"}}, err: "want a"},
		{name: "two hosts in one", given: Permissions{Net: []string{"a.example,b.example"}}, err: "want a host name"},
		{name: "bracketed IPv6", given: Permissions{Net: []string{"[2001:db8::1]:443"}}, want: []string{"--allow-net=[2001:db8::1]:443", "--no-remote", "--deny-import", inner}},
		{name: "port that is none", given: Permissions{Net: []string{"a.example:http"}}, err: "want a port number"},
		{name: "bare IPv6", given: Permissions{Net: []string{"::1"}}, err: "IPv6 in brackets"},
		{name: "no port", given: Permissions{Net: []string{"a.example:"}}, err: "want a port number"},
		{name: "unclosed bracket", given: Permissions{Net: []string{"[::1"}}, err: "want a host name"},
		{name: "relative path", given: Permissions{Read: []string{"."}}, err: `Permissions.Read: ".": want an absolute path`},
		{name: "missing path", given: Permissions{Write: []string{dir + "/missing"}}, err: "no such file"},
		{name: "empty program", given: Permissions{Run: []string{" "}}, err: "which Deno would read as everything"},
		{name: "variable pattern", given: Permissions{Env: []string{"AWS_*"}}, err: "want the name of a variable"},
		{name: "two problems", given: Permissions{Env: []string{"a b"}, Sys: []string{"-"}}, err: "Permissions.Sys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.given.flags()
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q in it", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}
