package conductor_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/conductor/conductor"
	_ "github.com/conductor/conductor/conversation/redisstore" // for redis:// URLs
	"github.com/conductor/conductor/mcpclient"
)

// A conversation goes on after a restart. With a redis:// URL it also goes on at another
// replica.
func ExampleOptions_storeURL() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "conversations")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for range 2 { // as before and after a restart
		c, err := conductor.New(ctx, &conductor.Options{
			Servers:     []mcpclient.Server{files(ctx)},
			StoreURL:    dir, // or redis://user:password@localhost:6379/0
			LazySandbox: true,
		})
		if err != nil {
			log.Fatal(err)
		}
		conv, err := c.Conversation(ctx, "thread-7")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(conv.Loaded())
		if _, err := conv.LoadToolSpec(ctx, "files.read_file"); err != nil {
			log.Fatal(err)
		}
		if err := c.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// []
	// [files.read_file]
}
