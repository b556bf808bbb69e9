package mcpclient

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// inherited lists the variables that a server gets from this process. Anything
// else, such as an API key for another service, is none of its business.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "SHELL", "TERM", "TMPDIR", "TZ",
}

// inheritedWindows is the same for Windows, where many programs do not start
// without the folders of the system and of the user.
var inheritedWindows = []string{
	"APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "OS",
	"PATH", "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)",
	"PROGRAMW6432", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERDOMAIN", "USERNAME",
	"USERPROFILE", "WINDIR",
}

// environ returns the environment of a server: the inherited variables that are
// set here, and extra over them.
func environ(extra map[string]string) []string {
	names := inherited
	if runtime.GOOS == "windows" {
		names = inheritedWindows
	}
	env := map[string]string{}
	for _, name := range names {
		// A bash function is exported as "() { …"; no server needs one.
		if value, ok := os.LookupEnv(name); ok && !strings.HasPrefix(value, "()") {
			env[name] = value
		}
	}
	for name, value := range extra {
		if runtime.GOOS == "windows" { // names are case-insensitive there
			name = strings.ToUpper(name)
		}
		env[name] = value
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
