package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/conductor/conductor/catalog"
)

func TestServerNames(t *testing.T) {
	c := fill(t, nil, nil)
	for _, name := range []string{"", "a\x00b", "a\nb", "\xff"} {
		if err := c.SetServer(context.Background(), catalog.Server{Name: name}); !errors.Is(err, catalog.ErrServerName) {
			t.Errorf("%q: got error %v, want ErrServerName", name, err)
		}
	}
	for _, name := range []string{"a", "a.b", "Größe", "天気", "a b"} {
		if err := c.SetServer(context.Background(), catalog.Server{Name: name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestHostileTools feeds what a broken or malicious server may say.
func TestHostileTools(t *testing.T) {
	deep := strings.Repeat(`{"properties":{"p":`, 5000) + `{"description":"needle"}` + strings.Repeat(`}}`, 5000)
	wide := `{"properties":{"a":{"enum":["` + strings.Repeat(`x","`, 100_000) + `"]}}}`
	tools := []catalog.Tool{
		{Name: "", Description: "nameless"},
		{Name: "twice", Description: "the first"},
		{Name: "twice", Description: "the second"},
		{Name: "nul\x00name", Description: "a NUL in its name"},
		{Name: "\xff\xfe", Description: "invalid \xff text"},
		{Name: "...", Description: "dots"},
		{Name: strings.Repeat("long", 100_000), Description: strings.Repeat("huge description ", 1_000_000)},
		{Name: "deep", InputSchema: json.RawMessage(deep)},
		{Name: "wide", InputSchema: json.RawMessage(wide)},
		{Name: "broken", InputSchema: json.RawMessage(`{"properties":{"found":{"description":"before the break"`)},
		{Name: "array", InputSchema: json.RawMessage(`[[[1,{"description":"listed"}]]]`)},
		{Name: "odd", InputSchema: json.RawMessage(`{"properties":[{"description":7}],"enum":{"a":1},"description":{"x":[]}}`)},
		{Name: "true", InputSchema: json.RawMessage(`true`)},
		{Name: "garbage", InputSchema: json.RawMessage("\x00\xff}{")},
		{Name: "<script>", Description: "`; DROP TABLE tools; -- ${x} %s"},
	}
	c := fill(t, nil, []catalog.Server{{Name: "evil", Description: strings.Repeat("evil ", 1_000_000), Tools: tools}})
	if want := len(tools) - 2; c.Len() != want {
		t.Errorf("got %d tools, want %d", c.Len(), want)
	}
	if got, ok := c.Tool("evil.twice"); !ok || got.Description != "the first" {
		t.Errorf("of two tools with a name got %v", got)
	}
	for query, want := range map[string]string{
		"a NUL in the name":  "evil.nul\x00name",
		"before the break":   "evil.broken",
		"drop table":         "evil.<script>",
		"huge description":   "evil." + strings.Repeat("long", 100_000),
		"invalid text":       "evil.\xff\xfe",
		"garbage collection": "evil.garbage",
	} {
		if got := ids(search(t, c, text(query))); len(got) == 0 || got[0] != want {
			t.Errorf("%q: got %.200q", query, got)
		}
	}
	for _, query := range []string{"needle", "\x00", "\xff\xff", strings.Repeat("word ", 1_000_000), strings.Repeat("a.b", 10_000), "天気予報"} {
		search(t, c, text(query))
		c.Nearest(query, 5)
	}
}

// TestSchemaWords looks for what only the schema says.
func TestSchemaWords(t *testing.T) {
	schema := func(s string) json.RawMessage { return json.RawMessage(s) }
	c := fill(t, nil, []catalog.Server{{Name: "s", Tools: []catalog.Tool{
		{Name: "t01", InputSchema: schema(`{"properties":{"zipCode":{"type":"string"}}}`)},
		{Name: "t02", InputSchema: schema(`{"properties":{"x":{"description":"barometric pressure"}}}`)},
		{Name: "t03", InputSchema: schema(`{"properties":{"x":{"enum":["celsius","kelvin"]}}}`)},
		{Name: "t04", InputSchema: schema(`{"$defs":{"Y":{"properties":{"invoiceNumber":{}}}}}`)},
		{Name: "t05", InputSchema: schema(`{"anyOf":[{"properties":{"x":{"items":{"properties":{"latitude":{}}}}}}]}`)},
		{Name: "t06", InputSchema: schema(`{"properties":{"x":{"default":"wombat","examples":["wombat"]}},"required":["wombat"]}`)},
		{Name: "t07", InputSchema: schema(`{"properties":{"description":{"title":"marmalade"},"type":{}}}`)},
	}}})
	for query, want := range map[string]string{
		"zip code": "s.t01", "barometric": "s.t02", "kelvin": "s.t03", "invoice number": "s.t04",
		"latitude": "s.t05", "wombat": "", "marmalade": "s.t07",
	} {
		got := ids(search(t, c, text(query)))
		if want == "" && len(got) > 0 || want != "" && (len(got) == 0 || got[0] != want) {
			t.Errorf("%q: got %v, want %q", query, got, want)
		}
	}
}

func TestOtherLanguages(t *testing.T) {
	c := fill(t, nil, []catalog.Server{{Name: "s", Tools: []catalog.Tool{
		{Name: "t1", Description: "東京の天気予報を取得する"},
		{Name: "t2", Description: "创建一个新的日历事件"},
		{Name: "t3", Description: "Größe und Übersetzung von Dateien"},
		{Name: "t4", Description: "Отправить письмо по почте"},
		{Name: "t5", Description: "날씨를 확인합니다"},
	}}})
	for query, want := range map[string]string{
		"天気": "s.t1", "日历": "s.t2", "ubersetzung": "s.t3", "GRÖSSE": "s.t3", "ПИСЬМО": "s.t4", "날씨": "s.t5",
	} {
		if got := ids(search(t, c, text(query))); len(got) == 0 || got[0] != want {
			t.Errorf("%s: got %v, want %s", query, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	c := fill(t, nil, fixture())
	for _, tt := range []struct {
		name string
		want string // the first, or "" for none
	}{
		{"github.create_issue", "github.create_issue"},
		{"github.creat_issue", "github.create_issue"},
		{"github.craete_issue", "github.create_issue"},
		{"gihtub.create_issue", "github.create_issue"},
		{"create_isue", "github.create_issue"},
		{"gitlab.create_issue", "github.create_issue"},
		{"github.issue_create", "github.create_issue"},
		{"github.createIssue", "github.create_issue"},
		{"github/create-issue", "github.create_issue"},
		{"mcp.github.create_issue", "github.create_issue"},
		{"slack.post_message", "slack.postMessage"},
		{"SLACK.POSTMESSAGE", "slack.postMessage"},
		{"files.read_files", "files.read_file"},
		{"mail.sendmail", "mail.send_email"},
		{"frobnicate", ""},
		{"github.zzzzzzzzzz", ""},
		{"", ""},
		{"...", ""},
		{"\xff", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := c.Nearest(tt.name, 3)
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) == 0 || got[0] != tt.want) {
				t.Errorf("got %v, want %q first", got, tt.want)
			}
		})
	}
	if got := c.Nearest("file", 100); len(got) > 42 {
		t.Errorf("got %d ids", len(got))
	}
	if got := fmt.Sprint(c.Nearest("files.list_dir", 2)); got != fmt.Sprint(c.Nearest("files.list_dir", 2)) {
		t.Errorf("got %v and then something else", got)
	}
}
