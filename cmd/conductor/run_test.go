package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/conductor/conductor"
)

func TestHelp(t *testing.T) {
	overviewParts := []string{"Usage: conductor COMMAND", "mcp start", "exec", "find", "spec", "generate", "doctor", "bench", "version", "Exit status"}
	cli(t, "", "help").check(t, exitOK, overviewParts, nil)
	cli(t, "", "--help").check(t, exitOK, overviewParts, nil)
	cli(t, "").check(t, exitUsage, nil, overviewParts)
	for _, c := range commands() {
		want := []string{"Usage: conductor " + c.name, "Example", "Flags:"}
		words := strings.Fields(c.name)
		cli(t, "", append(words, "--help")...).check(t, exitOK, want, nil)
		cli(t, "", append(words, "-h")...).check(t, exitOK, want, nil)
		cli(t, "", append([]string{"help"}, words...)...).check(t, exitOK, want, nil)
	}
	cli(t, "", "mcp", "--help").check(t, exitOK, []string{"Usage: conductor mcp start"}, nil)
	cli(t, "", "help", "mcp").check(t, exitOK, []string{"Usage: conductor mcp start"}, nil)
	cli(t, "", "help", "--help").check(t, exitOK, overviewParts, nil)
}

// TestHelpConfig checks that the example in the help is a configuration.
func TestHelpConfig(t *testing.T) {
	o := cli(t, "", "help", "config")
	o.check(t, exitOK, []string{"mcpServers", "${NAME:-default}"}, nil)
	start, end := strings.Index(o.stdout, "{\n"), strings.Index(o.stdout, "\n}\n")
	if start < 0 || end < start {
		t.Fatal("there is no example")
	}
	t.Setenv("TOKEN", "x")
	t.Setenv("HOME", t.TempDir())
	options, err := conductor.ReadConfig(writeFile(t, "mcp.json", o.stdout[start:end+3]))
	if err != nil {
		t.Fatal(err)
	}
	if len(options.Servers) != 5 {
		t.Errorf("%d servers, want 5", len(options.Servers))
	}
}

func TestVersion(t *testing.T) {
	cli(t, "", "version").check(t, exitOK, []string{"conductor " + conductor.Version}, nil)
	cli(t, "", "--version").check(t, exitOK, []string{"conductor " + conductor.Version}, nil)
	o := cli(t, "", "version", "--json")
	o.check(t, exitOK, []string{conductor.Version}, nil)
	if got := o.decode(t)["version"]; got != conductor.Version {
		t.Errorf("version is %v", got)
	}
}

func TestUsageErrors(t *testing.T) {
	config := writeConfig(t, "{}", "files", `{"command": "x"}`, "off", `{"command": "x", "disabled": true}`)
	program := writeFile(t, "p.ts", "return 1")
	for _, test := range []struct {
		args string
		want string
	}{
		{"fnid x", `there is no command "fnid"; did you mean find?`},
		{"quux", `there is no command "quux"`},
		{"help fnd", `there is nothing about "fnd"; did you mean find?`},
		{"mcp", "mcp needs to be told what to do: conductor mcp start"},
		{"mcp strat", "mcp needs to be told what to do: conductor mcp start"},
		{"mcp start", "--config FILE is missing"},
		{"mcp start --config CONFIG x", `takes no argument, but there is "x"`},
		{"find --confg CONFIG x", "there is no flag --confg; did you mean --config?"},
		{"find --quux x", "there is no flag --quux\n"},
		{"find x --config", "flag needs an argument: --config"},
		{"find x", "--config FILE is missing"},
		{"find --config CONFIG", "wants some words"},
		{"find --config CONFIG --limit 0 x", "--limit is 0; want 1 to 100"},
		{"find --config CONFIG --limit many x", `invalid value "many" for flag --limit: parse error (it is: print at most N tools`},
		{"find --config CONFIG --server fiels x", `there is no server "fiels" in the configuration; did you mean files?`},
		{"find --config CONFIG --server github x", `there is no server "github" in the configuration; there are files, off`},
		{"find --config CONFIG --server off x", "server off is disabled"},
		{"spec --config CONFIG", "wants the names of tools"},
		{"exec --config CONFIG", "wants one program, but there are 0"},
		{"exec --config CONFIG PROGRAM PROGRAM", "wants one program, but there are 2"},
		{"exec --config CONFIG --timeout 6m PROGRAM", "--timeout is 6m0s; the most is 5m0s"},
		{"exec --config CONFIG --timeout 30 PROGRAM", `invalid value "30" for flag --timeout`},
		{"exec --config CONFIG nowhere.ts", "program: open nowhere.ts"},
		{"generate", "--tools FILE is missing"},
		{"generate tools.json", "the file is --tools FILE"},
		{"doctor x", `takes no argument, but there is "x"`},
		{"version x", `takes no argument, but there is "x"`},
	} {
		t.Run(test.args, func(t *testing.T) {
			args := strings.Fields(strings.NewReplacer("CONFIG", config, "PROGRAM", program).Replace(test.args))
			cli(t, "", args...).check(t, exitUsage, nil, []string{test.want})
		})
	}
}

// TestConfigErrors checks that every command tells of a configuration that cannot
// be used, before it starts anything.
func TestConfigErrors(t *testing.T) {
	program := writeFile(t, "p.ts", "return 1")
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"wrong key", `{"mcpServers": {"a": {"comand": "x"}}}`, []string{"mcpServers.a.comand", "did you mean command?"}},
		{"wrong type", `{"mcpServers": {"a": {"command": "x", "args": "y"}}}`, []string{"mcpServers.a.args: is a string; want an array of strings"}},
		{"unset variable", `{"mcpServers": {"a": {"command": "x", "env": {"TOKEN": "${CLI_TEST_UNSET}"}}}}`, []string{"mcpServers.a.env.TOKEN: the environment variable CLI_TEST_UNSET is not set"}},
		{"no JSON", "{\n oops", []string{"line 2, column 2"}},
	} {
		for _, command := range []string{"mcp start", "exec", "find", "spec"} {
			t.Run(test.name+"/"+command, func(t *testing.T) {
				config := writeFile(t, "mcp.json", test.text)
				args := append(strings.Fields(command), "--config", config)
				if command != "mcp start" {
					args = append(args, program)
				}
				cli(t, "", args...).check(t, exitUsage, nil, append(test.want, config, "conductor help config"))
			})
		}
	}
	missing := filepath.Join(t.TempDir(), "nowhere.json")
	cli(t, "", "find", "--config", missing, "x").check(t, exitUsage, nil, []string{missing, "conductor help config"})
}

// TestFlagsAnywhere checks that flags may follow operands, and that "--" ends them.
func TestFlagsAnywhere(t *testing.T) {
	tools := writeFile(t, "tools.json", `[]`)
	for _, args := range [][]string{
		{"generate", "--json", "--tools", tools},
		{"generate", "-tools=" + tools, "-json"},
	} {
		cli(t, "", args...).check(t, exitOK, []string{`"tools": []`}, nil)
	}
	cli(t, "", "find", "words", "--", "--config").check(t, exitUsage, nil, []string{"--config FILE is missing"})
}

func TestPrintable(t *testing.T) {
	if got, want := printable("a\x1b[31mb\u009bc\u202ed\n\te\xff"), "a[31mbcd\n\te\uFFFD"; got != want {
		t.Errorf("printable: %q, want %q", got, want)
	}
	if got, want := escapeControls([]byte("[\"a\u009b\u202e\",1]")), `["a\u009b\u202e",1]`; got != want {
		t.Errorf("escapeControls: %q, want %q", got, want)
	}
	if got, want := firstLine("ä b\nc", 100), "ä b …"; got != want {
		t.Errorf("firstLine: %q, want %q", got, want)
	}
	if got, want := firstLine("ää", 3), "ä …"; got != want {
		t.Errorf("firstLine: %q, want %q", got, want)
	}
	if os.PathSeparator == '/' {
		if got := serverName("/x/github.tools.json"); got != "github.tools" {
			t.Errorf("serverName: %q", got)
		}
	}
}
