package conductor_test

import (
	"context"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
)

// What a server offers for reading is loaded by name, like a tool, and is typed.
func ExampleConversation_Execute_resources() {
	ctx := context.Background()
	shelf := mcp.NewServer(&mcp.Implementation{Name: "shelf", Version: "1"}, nil)
	addBooks(shelf) // book://1, and a template
	client, transport := mcp.NewInMemoryTransports()
	go func() { _ = shelf.Run(ctx, transport) }()

	c, err := conductor.New(ctx, &conductor.Options{Servers: []mcpclient.Server{{Name: "shelf", Transport: client}}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := conv.LoadToolSpec(ctx, "shelf.resources"); err != nil {
		log.Fatal(err)
	}
	result, err := conv.Execute(ctx, `
		import * as shelf from "./mcp/shelf";
		const books = await shelf.resources.list();
		const pages = await Promise.all(books.map((b) => shelf.resources.read(b.uri)));
		return pages.map(([page]) => page.text);
	`, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(result.Text())
	for _, call := range result.Calls {
		fmt.Println(call.Tool)
	}
	// Output:
	// ["Call me Ishmael."]
	// shelf.resources.list
	// shelf.resources.read
}
