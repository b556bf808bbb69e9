package catalog_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/conductor/conductor/catalog"
)

func Example() {
	ctx := context.Background()
	c, err := catalog.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	err = c.SetServer(ctx, catalog.Server{Name: "github", Tools: []catalog.Tool{
		{Name: "create_issue", Description: "Create a new issue in a repository."},
		{Name: "list_issues", Description: "List the issues of a repository."},
		{Name: "search_code", Description: "Search for code across repositories."},
	}})
	if err != nil {
		log.Fatal(err)
	}
	res, err := c.Search(ctx, catalog.Query{Texts: []string{"open a bug report"}, Limit: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range res.Hits {
		fmt.Println(h.Tool.ID(), "-", h.Tool.Description)
	}
	// Output: github.create_issue - Create a new issue in a repository.
}

func ExampleCatalog_Nearest() {
	c, err := catalog.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	err = c.SetServer(context.Background(), catalog.Server{Name: "github", Tools: []catalog.Tool{
		{Name: "create_issue"}, {Name: "list_issues"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Nearest("github.createIsue", 1))
	fmt.Println(c.Nearest("slack.post", 1))
	// Output:
	// [github.create_issue]
	// []
}

// A query can hold several phrasings, name a server, and leave out what the
// host does not allow.
func ExampleQuery() {
	ctx := context.Background()
	c, err := catalog.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range []string{"drive", "disk"} {
		err := c.SetServer(ctx, catalog.Server{Name: s, Tools: []catalog.Tool{
			{Name: "read_file", Description: "Read a file."},
			{Name: "delete_file", Description: "Delete a file."},
		}})
		if err != nil {
			log.Fatal(err)
		}
	}
	res, err := c.Search(ctx, catalog.Query{
		Texts:  []string{"remove a file", "erase a document"},
		Server: "disk",
		Allow:  func(id string) bool { return !strings.HasSuffix(id, ".read_file") },
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range res.Hits {
		fmt.Println(h.Tool.ID())
	}
	// Output: disk.delete_file
}

func ExampleOptions_embedding() {
	// Any function of this shape will do, among them those of chromem-go.
	embed := func(ctx context.Context, text string) ([]float32, error) {
		return nil, fmt.Errorf("the service is down")
	}
	c, err := catalog.New(&catalog.Options{Embedding: embed})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	err = c.SetServer(ctx, catalog.Server{Name: "clock", Tools: []catalog.Tool{{Name: "current_time"}}})
	fmt.Println(err)
	res, err := c.Search(ctx, catalog.Query{Texts: []string{"time"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Hits[0].Tool.ID(), res.Lexical, res.Err)
	// Output:
	// set server "clock": 1 of 1 tools are searchable by words only: embedding unavailable: the service is down
	// clock.current_time true embedding unavailable: the service is down
}

// What successful calls teach, other conversations find.
func ExampleLearning() {
	ctx := context.Background()
	learning := catalog.NewLearning()
	c, err := catalog.New(&catalog.Options{Learning: learning})
	if err != nil {
		log.Fatal(err)
	}
	err = c.SetServer(ctx, catalog.Server{Name: "erp", Tools: []catalog.Tool{
		{Name: "run_job_17", Description: "Runs job 17."},
		{Name: "run_job_18", Description: "Runs job 18."},
	}})
	if err != nil {
		log.Fatal(err)
	}
	for _, conversation := range []string{"anna", "ben", "carl"} {
		learning.Record(catalog.Outcome{
			Conversation: conversation,
			Queries:      []string{"close the books of the month"},
			Tools:        []string{"erp.run_job_18"},
		})
	}
	res, err := c.Search(ctx, catalog.Query{Texts: []string{"close the books"}, Limit: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Hits[0].Tool.ID(), res.Hits[0].Why.Learned)
	// Output: erp.run_job_18 [close books]
}
