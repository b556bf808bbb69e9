package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/internal/typecheck"
)

func generateCommand() *command {
	return &command{
		name:  "generate",
		usage: "--tools FILE [FLAGS]",
		short: "print the TypeScript module of a saved list of tools",
		long: `
Prints the TypeScript module that programs would import for the tools of one server.
The file ("-" is standard input) is a saved result of tools/list: {"tools": […]}, the
array alone, or the whole JSON-RPC response. What is odd about a schema, and what was
made of it, goes to standard error.

Example:
  conductor generate --tools github.json --server github > github.ts`,
		define: func(flags *flag.FlagSet) action {
			asJSON := jsonFlag(flags)
			tools := flags.String("tools", "", "the `FILE` with the tools")
			check := flags.Bool("check", false, "check the types of the module, and exit with status 1 if there is a mistake in it")
			name := flags.String("server", "", "the `NAME` of the server; without it, that of the file")
			return func(ctx context.Context, s *streams, args []string) error {
				switch {
				case len(args) > 0:
					return usagef("takes no argument, but there is %q; the file is --tools FILE", args[0])
				case *tools == "":
					return usagef("--tools FILE is missing")
				}
				data, err := readTools(*tools, s.stdin)
				if err != nil {
					return &inputError{err: err}
				}
				if *name == "" {
					*name = serverName(*tools)
				}
				list, more, err := decodeTools(data, *name)
				if err != nil {
					return &inputError{err: fmt.Errorf("%s: %w", *tools, err), hint: toolsHint}
				}
				if more {
					fmt.Fprintf(s.stderr, "%s: this is one page of several (there is a nextCursor): tools are missing\n", *tools)
				}
				source, err := generate(s, *name, list, *asJSON)
				if err != nil || !*check {
					return err
				}
				return checkModule(ctx, s, source)
			}
		},
	}
}

const toolsHint = `Want a result of tools/list, such as {"tools": [{"name": "add", "inputSchema": {"type": "object"}}]}.`

// maxTools bounds the file; the largest servers list some hundred kilobytes.
const maxTools = 64 << 20

func readTools(path string, stdin io.Reader) ([]byte, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxTools+1))
	if err == nil && len(data) > maxTools {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxTools)
	}
	return data, err
}

func serverName(path string) string {
	name := filepath.Base(path)
	if name = strings.TrimSuffix(name, filepath.Ext(name)); path == "-" || name == "" {
		return "tools"
	}
	return name
}

// decodeTools reads a list of tools in one of its three shapes. More tells that it
// is not the whole list.
func decodeTools(data []byte, server string) (list []codegen.Tool, more bool, err error) {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, false, position(data, err)
	}
	type result struct {
		Tools      *[]json.RawMessage `json:"tools"`
		NextCursor string             `json:"nextCursor"`
	}
	var page result
	if bytes.HasPrefix(whole, []byte("[")) {
		page.Tools = &[]json.RawMessage{}
		if err := json.Unmarshal(whole, page.Tools); err != nil {
			return nil, false, err
		}
	} else {
		var response struct {
			result
			Result *result         `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		if err := json.Unmarshal(whole, &response); err != nil {
			return nil, false, err
		}
		switch {
		case response.Error != nil:
			return nil, false, fmt.Errorf("this is an error that a server answered with: %.200s", response.Error)
		case response.Result != nil:
			page = *response.Result
		default:
			page = response.result
		}
	}
	if page.Tools == nil {
		return nil, false, errors.New("there are no tools in it")
	}
	for i, raw := range *page.Tools {
		tool := codegen.Tool{}
		if err := json.Unmarshal(raw, &tool); err != nil {
			return nil, false, fmt.Errorf("tools[%d]: %w", i, err)
		}
		if tool.Name == "" {
			return nil, false, fmt.Errorf("tools[%d]: there is no name", i)
		}
		tool.Server = server
		list = append(list, tool)
	}
	return list, page.NextCursor != "", nil
}

// position adds line and column to a syntax error.
func position(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := data[:min(max(syntax.Offset-1, 0), int64(len(data)))]
	return fmt.Errorf("line %d, column %d: %w", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'), err)
}

// A generated module is the document of "generate --json".
type generated struct {
	Server      string          `json:"server"`
	Module      string          `json:"module"`
	Import      string          `json:"import"`
	TypeScript  string          `json:"typescript"`
	Tools       []generatedTool `json:"tools"`
	Diagnostics []diagnostic    `json:"diagnostics"`
}

type generatedTool struct {
	Name      string `json:"name"`
	Function  string `json:"function"`
	Signature string `json:"signature"`
}

type diagnostic struct {
	Tool    string `json:"tool"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// checkModule has the module checked as a program would be. Its mistakes go to
// standard error.
func checkModule(ctx context.Context, s *streams, source string) (err error) {
	checker, err := typecheck.New(ctx, &typecheck.Options{
		Progress: func(message string) { fmt.Fprintf(s.stderr, "conductor: %s\n", printable(message)) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, checker.Close()) }()
	mistakes, err := checker.Check(ctx, &typecheck.Program{Wrapped: source, Syntax: true})
	if err != nil {
		return err
	}
	for _, m := range mistakes {
		fmt.Fprintf(s.stderr, "%d:%d: TS%d: %s\n", m.Line, m.Column, m.Code, printable(m.Message))
	}
	if len(mistakes) > 0 {
		return errFailed
	}
	return nil
}

// generate prints the module, and returns its source.
func generate(s *streams, name string, list []codegen.Tool, asJSON bool) (string, error) {
	server := codegen.NewServer(name, list, nil)
	document := generated{Server: name, Module: server.ModulePath(), Import: server.ImportLine(), Tools: []generatedTool{}, Diagnostics: []diagnostic{}}
	var names []string
	seen := map[string]bool{}
	for _, tool := range list {
		if seen[tool.Name] {
			continue // a diagnostic tells
		}
		seen[tool.Name] = true
		names = append(names, tool.Name)
		document.Tools = append(document.Tools, generatedTool{tool.Name, server.FunctionName(tool.Name), server.Signature(tool.Name)})
	}
	document.TypeScript = server.Module(names...)
	for _, d := range server.Diagnostics() {
		document.Diagnostics = append(document.Diagnostics, diagnostic{d.Tool, d.Path, d.Message})
		fmt.Fprintf(s.stderr, "%s: %s: %s\n", printable(d.Tool), printable(d.Path), printable(d.Message))
	}
	if asJSON {
		return document.TypeScript, writeJSON(s.stdout, document)
	}
	_, err := io.WriteString(s.stdout, document.TypeScript)
	return document.TypeScript, err
}
