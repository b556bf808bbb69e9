package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type object = map[string]any

// crm is a server that knows customers. It returns the client's end of a
// connection in memory.
func crm(ctx context.Context) mcp.Transport {
	s := mcp.NewServer(&mcp.Implementation{Name: "crm", Title: "Customers and contacts", Version: "1.0.0"}, nil)
	addTool(s, "list_customers", "List the customers of a country",
		`{"type":"object","properties":{"country":{"type":"string","description":"ISO code with two letters"}},"required":["country"]}`,
		`{"type":"object","properties":{"customers":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"country":{"type":"string"},"note":{"type":"string"}},"required":["id","name","country"]}}},"required":["customers"]}`,
		func(args object) object {
			customers := []object{}
			for i := range 12 {
				customers = append(customers, object{"id": fmt.Sprintf("c%d", i), "name": fmt.Sprintf("Customer %d AS", i), "country": args["country"], "note": "prefers mail, call before noon"})
			}
			return object{"customers": customers}
		})
	addTool(s, "get_customer", "Get one customer with all details",
		`{"type":"object","properties":{"id":{"type":"string"}},"required":["id"]}`, "",
		func(args object) object { return object{"id": args["id"]} })
	addTool(s, "add_note", "Add a note to a customer's file",
		`{"type":"object","properties":{"id":{"type":"string"},"text":{"type":"string","maxLength":1000}},"required":["id","text"]}`, "",
		func(args object) object { return args })
	return connect(ctx, s)
}

// billing is a server that knows invoices.
func billing(ctx context.Context) mcp.Transport {
	s := mcp.NewServer(&mcp.Implementation{Name: "billing", Title: "Invoices and payments", Version: "1.0.0"}, nil)
	addTool(s, "list_invoices", "List a customer's invoices: what is paid and what the customer still owes",
		`{"type":"object","properties":{"customer_id":{"type":"string"}},"required":["customer_id"]}`,
		`{"type":"object","properties":{"invoices":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"},"amount":{"type":"number","description":"In euro"},"paid":{"type":"boolean"},"text":{"type":"string"}},"required":["id","amount","paid"]}}},"required":["invoices"]}`,
		func(args object) object {
			customer := fmt.Sprint(args["customer_id"])
			invoices := []object{}
			for i := range 40 {
				paid := (i+int(customer[len(customer)-1]))%7 != 0
				invoices = append(invoices, object{"id": fmt.Sprintf("%s-%d", customer, i), "amount": 100 + 25*i, "paid": paid, "text": "delivered as agreed, due in thirty days"})
			}
			return object{"invoices": invoices}
		})
	addTool(s, "create_invoice", "Create an invoice and send it to the customer",
		`{"type":"object","properties":{"customer_id":{"type":"string"},"amount":{"type":"number"},"currency":{"type":"string","enum":["EUR","NOK","USD"]}},"required":["customer_id","amount"]}`, "",
		func(args object) object { return args })
	addTool(s, "record_payment", "Mark an invoice as paid",
		`{"type":"object","properties":{"invoice_id":{"type":"string"}},"required":["invoice_id"]}`, "",
		func(args object) object { return args })
	return connect(ctx, s)
}

// addTool adds a tool whose schemas are JSON, as servers in other languages write
// them.
func addTool(s *mcp.Server, name, description, input, output string, handle func(object) object) {
	tool := &mcp.Tool{Name: name, Description: description, InputSchema: json.RawMessage(input)}
	if output != "" {
		tool.OutputSchema = json.RawMessage(output)
	}
	s.AddTool(tool, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var args object
		if err := json.Unmarshal(r.Params.Arguments, &args); err != nil {
			return nil, err
		}
		return &mcp.CallToolResult{StructuredContent: handle(args)}, nil
	})
}

// connect runs the server until its client goes away or ctx ends.
func connect(ctx context.Context, s *mcp.Server) mcp.Transport {
	client, server := mcp.NewInMemoryTransports()
	go s.Run(ctx, server)
	return client
}
