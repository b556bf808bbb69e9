package typecheck

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets this binary stand in for a language server that misbehaves: the name
// by which it is called says how.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println("Version 7.0.2")
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "--lsp" {
		misbehave(filepath.Base(os.Args[0]))
		return
	}
	os.Exit(m.Run())
}

// standIn returns the path of a server that misbehaves in the given way.
func standIn(t *testing.T, how string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), how)
	if err := os.Symlink(self, path); err != nil {
		t.Skipf("the stand-in is a symbolic link: %v", err)
	}
	return path
}

func misbehave(how string) {
	in := bufio.NewReader(os.Stdin)
	for {
		body, err := readMessage(in)
		if err != nil {
			return
		}
		var request struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		if json.Unmarshal(body, &request) != nil || len(request.ID) == 0 {
			continue
		}
		answer := func(format string, args ...any) {
			text := fmt.Sprintf(format, args...)
			fmt.Printf("Content-Length: %d\r\n\r\n%s", len(text), text)
		}
		if request.Method == "initialize" {
			answer(`{"jsonrpc":"2.0","id":%s,"result":{}}`, request.ID)
			continue
		}
		switch how {
		case "huge length":
			fmt.Print("Content-Length: 99999999999\r\n\r\n")
		case "negative length":
			fmt.Print("Content-Length: -1\r\n\r\n")
		case "no length":
			fmt.Print("Content-Type: x\r\n\r\n{}")
		case "endless header":
			for {
				if _, err := fmt.Print(strings.Repeat("x", 1<<16)); err != nil {
					return
				}
			}
		case "many headers":
			fmt.Print(strings.Repeat("a: b\r\n", 100))
		case "invalid JSON":
			answer(`{"id":`)
		case "wrong id":
			answer(`{"jsonrpc":"2.0","id":4711,"result":{"items":[]}}`)
		case "two answers":
			for range 3 {
				answer(`{"jsonrpc":"2.0","id":%s,"result":{"items":[]}}`, request.ID)
			}
			continue
		case "wrong shape":
			answer(`{"jsonrpc":"2.0","id":%s,"result":[1]}`, request.ID)
		case "error":
			answer(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"panic handling request"}}`, request.ID)
		case "exit":
			fmt.Fprint(os.Stderr, "the reason why")
			os.Exit(3)
		case "endless stderr":
			fmt.Fprint(os.Stderr, strings.Repeat("x", 10<<20))
			os.Exit(3)
		case "closed output":
			os.Stdout.Close()
			time.Sleep(time.Minute)
		case "silence":
			time.Sleep(time.Minute)
		case "notifications":
			for {
				answer(`{"jsonrpc":"2.0","method":"window/logMessage","params":{"message":%q}}`, strings.Repeat("x", 1<<10))
			}
		case "questions":
			for i := range 100 {
				answer(`{"jsonrpc":"2.0","id":"q%d","method":"workspace/configuration","params":{}}`, i)
			}
			answer(`{"jsonrpc":"2.0","id":%s,"result":{"items":[]}}`, request.ID)
		case "many diagnostics":
			item := `{"range":{"start":{"line":0,"character":0}},"severity":1,"code":2304,"message":"x"}`
			answer(`{"jsonrpc":"2.0","id":%s,"result":{"items":[%s%s]}}`, request.ID, strings.Repeat(item+",", 50_000), item)
		case "positions":
			answer(`{"jsonrpc":"2.0","id":%s,"result":{"items":[
				{"range":{"start":{"line":-5,"character":-7}},"severity":1,"code":2554,"message":"","relatedInformation":[{"message":"An argument for","location":{"uri":"mcp/crm.ts","range":{"start":{"line":999999,"character":9}}}},{"message":"An argument for","location":{"uri":"mcp/crm.ts","range":{"start":{"line":-1,"character":-1}}}}]},
				{"range":{"start":{"line":2,"character":-7}},"severity":1,"code":2554,"message":"\u0000","relatedInformation":[{"message":"An argument for","location":{"uri":"mcp/crm.ts","range":{"start":{"line":-1,"character":-1}}}}]}]}}`, request.ID)
		default:
			_, _ = io.WriteString(os.Stderr, "unknown behaviour "+how)
			os.Exit(4)
		}
	}
}
