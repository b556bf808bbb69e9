package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type (
	article struct {
		SKU         string `json:"sku"`
		Name        string `json:"name"`
		Stock       int    `json:"stock"`
		SoldPerWeek int    `json:"sold_per_week"`
		Shelf       string `json:"shelf"`
	}
	listArgs struct {
		Warehouse string `json:"warehouse" jsonschema:"the name of a city"`
	}
	listResult struct {
		Articles []article `json:"articles"`
	}
	quoteArgs struct {
		SKU      string `json:"sku"`
		Quantity int    `json:"quantity"`
	}
	quoteResult struct {
		Supplier string `json:"supplier"`
		Days     int    `json:"days" jsonschema:"until delivery"`
		Total    int    `json:"total" jsonschema:"in euro"`
	}
	orderResult struct {
		OrderID string `json:"order_id"`
	}
)

// listSchema says that there always is a list. The one made from listResult would
// allow null, as a slice of Go can be nil, and programs would have to check.
const listSchema = `{"type":"object","properties":{"articles":{"type":"array","items":{"type":"object","properties":{
"sku":{"type":"string"},"name":{"type":"string"},
"stock":{"type":"integer","description":"pieces in the warehouse"},
"sold_per_week":{"type":"integer","description":"pieces, averaged over the last quarter"},
"shelf":{"type":"string"}},"required":["sku","name","stock","sold_per_week","shelf"]}}},"required":["articles"]}`

// warehouses says that of each one's articles every so many is nearly sold out.
var warehouses = map[string]int{"Oslo": 9, "Bergen": 11}

var goods = []string{"rope", "lantern", "tent", "stove", "kettle", "compass", "blanket", "axe"}

// inventory is a small MCP server in this program that knows what is in stock. It
// returns the client's end of a connection in memory.
func inventory(ctx context.Context) mcp.Transport {
	s := mcp.NewServer(&mcp.Implementation{Name: "inventory", Title: "Stock and suppliers", Version: "1.0.0"}, nil)
	list := &mcp.Tool{
		Name:         "list_articles",
		Description:  "List the articles in a warehouse: what is in stock and how fast it sells",
		OutputSchema: json.RawMessage(listSchema),
	}
	mcp.AddTool(s, list,
		func(_ context.Context, _ *mcp.CallToolRequest, args listArgs) (*mcp.CallToolResult, listResult, error) {
			every, known := warehouses[args.Warehouse]
			if !known {
				return nil, listResult{}, fmt.Errorf("there is no warehouse in %q", args.Warehouse)
			}
			return nil, listResult{Articles: stock(every)}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "quote", Description: "Ask the supplier what it costs to restock an article"},
		func(_ context.Context, _ *mcp.CallToolRequest, args quoteArgs) (*mcp.CallToolResult, quoteResult, error) {
			return nil, quoteResult{Supplier: "Supplier of " + args.SKU, Days: 3 + len(args.SKU)%4, Total: 12 * args.Quantity}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "create_order", Description: "Order an article from its supplier"},
		func(_ context.Context, _ *mcp.CallToolRequest, args quoteArgs) (*mcp.CallToolResult, orderResult, error) {
			return nil, orderResult{OrderID: "order-" + args.SKU}, nil
		})
	client, end := mcp.NewInMemoryTransports()
	go s.Run(ctx, end) // until the client goes away or ctx ends
	return client
}

// stock makes up the forty articles of a warehouse.
func stock(every int) []article {
	var all []article
	for i := range 40 {
		a := article{
			SKU:         fmt.Sprintf("a%02d", i),
			Name:        fmt.Sprintf("%s no. %d", goods[i%len(goods)], i),
			Stock:       200 + 7*i,
			SoldPerWeek: 5 + i,
			Shelf:       fmt.Sprintf("row %d, level %d", i/5, i%5),
		}
		if i%every == every-1 {
			a.Stock = i
		}
		all = append(all, a)
	}
	return all
}
