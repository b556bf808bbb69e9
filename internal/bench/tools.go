package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/internal/tool"
)

// toolsPerServer is how many tools each server of a catalog has.
const toolsPerServer = 20

// servers returns n tools on servers of 20: the caller's, repeated, or else made up
// ones. The same call returns the same tools.
func (e *Env) servers(n int) []catalog.Server {
	tools := invented(n)
	if len(e.Tools) > 0 {
		tools = repeated(e.Tools, n)
	}
	var servers []catalog.Server
	for chunk := range slices.Chunk(tools, toolsPerServer) {
		name := chunk[0].Server
		for i := range chunk {
			chunk[i].Server = name
		}
		servers = append(servers, catalog.Server{Name: name, Tools: chunk})
	}
	return servers
}

// repeated makes n tools of a list. Servers are told apart by a number, and tools
// of one name by another.
func repeated(list []tool.Tool, n int) []tool.Tool {
	tools := make([]tool.Tool, n)
	var seen map[string]int // the names of the server at hand
	for i := range tools {
		if i%toolsPerServer == 0 {
			seen = map[string]int{}
		}
		t := list[i%len(list)]
		t.Server = fmt.Sprintf("%s-%d", t.Server, i/toolsPerServer+1)
		if seen[t.Name]++; seen[t.Name] > 1 {
			t.Name = fmt.Sprintf("%s_%d", t.Name, seen[t.Name])
		}
		tools[i] = t
	}
	return tools
}

// A domain is what a made-up server is about.
type domain struct {
	name  string
	nouns []string
}

var domains = []domain{
	{"billing", []string{"invoice", "payment", "refund", "subscription", "customer"}},
	{"calendar", []string{"event", "reminder", "attendee", "room", "schedule"}},
	{"code-host", []string{"repository", "pull request", "issue", "branch", "commit"}},
	{"mail", []string{"message", "thread", "label", "draft", "attachment"}},
	{"crm", []string{"lead", "opportunity", "account", "contact", "quote"}},
	{"files", []string{"file", "folder", "version", "share link", "archive"}},
	{"travel", []string{"flight", "hotel", "booking", "traveller", "itinerary"}},
	{"weather", []string{"forecast", "station", "alert", "observation", "map"}},
	{"database", []string{"table", "query", "index", "row", "backup"}},
	{"cloud", []string{"server", "network", "volume", "snapshot", "firewall rule"}},
	{"shop", []string{"product", "order", "cart", "coupon", "delivery"}},
	{"people", []string{"employee", "vacancy", "leave request", "team", "payslip"}},
	{"support", []string{"ticket", "macro", "article", "rating", "agent"}},
	{"video", []string{"video", "transcript", "channel", "playlist", "comment"}},
	{"finance", []string{"stock price", "currency rate", "portfolio", "trade", "dividend"}},
	{"health", []string{"workout", "meal", "sleep record", "appointment", "prescription"}},
	{"smart-home", []string{"lamp", "thermostat", "camera", "scene", "sensor"}},
	{"maps", []string{"place", "route", "address", "area", "traffic report"}},
	{"research", []string{"paper", "author", "citation", "dataset", "patent"}},
	{"monitoring", []string{"metric", "incident", "dashboard", "log entry", "probe"}},
}

// A verb is how a tool's name begins, and its description.
type verb struct{ name, says string }

var verbs = []verb{
	{"list", "Returns a page of the %s records that the caller may see"},
	{"get", "Reads one %s with all of its fields"},
	{"create", "Creates a new %s and returns it as it was stored"},
	{"update", "Changes the given fields of a %s and leaves the others as they are"},
	{"delete", "Removes a %s for good, after a check that nothing depends on it"},
	{"search", "Searches for a %s by words in its title, its text and its notes"},
	{"export", "Writes every %s of a period into a CSV or JSON file"},
	{"count", "Counts how often a %s was made, by day, week or month"},
	{"assign", "Hands a %s over to another person or team"},
	{"watch", "Tells a webhook whenever a %s changes"},
	{"copy", "Makes a copy of a %s under another name"},
	{"archive", "Puts a %s away, so that it can be brought back later"},
}

var remarks = []string{
	"Needs the role of an editor.",
	"Results come newest first unless another order is asked for.",
	"Times are in UTC and follow ISO 8601.",
	"The answer has a cursor if there is more to read.",
	"Amounts are in the smallest unit of their currency.",
	"At most 100 calls a minute are accepted from one account.",
	"Returns an error that names the field if a value is not valid.",
	"What was changed is written to the audit log, with the name of the caller.",
}

// A parameter is one of the arguments of made-up tools.
type parameter struct {
	name, schema string
}

var parameters = []parameter{
	{"limit", `{"type":"integer","minimum":1,"maximum":200,"description":"How many records are returned at most"}`},
	{"cursor", `{"type":"string","description":"Where to go on, from an earlier answer"}`},
	{"since", `{"type":"string","format":"date-time","description":"Leaves out what is older than this time"}`},
	{"until", `{"type":"string","format":"date-time","description":"Leaves out what is newer than this time"}`},
	{"sort", `{"type":"string","enum":["newest","oldest","name"],"description":"The order of the answer"}`},
	{"owner", `{"type":"string","description":"Name or mail address of the person it belongs to"}`},
	{"tags", `{"type":"array","items":{"type":"string"},"description":"Words by which it is filed; all of them must fit"}`},
	{"notify", `{"type":"boolean","description":"Whether the people concerned get a message"}`},
	{"reason", `{"type":"string","description":"Why, in a sentence for the people who ask later"}`},
	{"dry_run", `{"type":"boolean","description":"Says what would happen, and does not do it"}`},
	{"language", `{"type":"string","description":"Two letters, such as en or fr"}`},
	{"currency", `{"type":"string","description":"Three letters, such as EUR"}`},
	{"priority", `{"type":"string","enum":["low","normal","high"],"description":"How urgent it is"}`},
	{"workspace", `{"type":"string","description":"Id of the workspace, if the account has several"}`},
}

// invented returns n made-up tools: each server is about one domain, and has 20 of
// its 60 pairs of a verb and a noun.
func invented(n int) []tool.Tool {
	tools := make([]tool.Tool, n)
	random := rand.New(rand.NewPCG(1, 2)) // the same ones each time
	var pairs []int
	for i := range tools {
		server := i / toolsPerServer
		d := domains[server%len(domains)]
		if i%toolsPerServer == 0 {
			pairs = random.Perm(len(verbs) * len(d.nouns))
		}
		pair := pairs[i%toolsPerServer]
		v, noun := verbs[pair%len(verbs)], d.nouns[pair/len(verbs)]
		tools[i] = tool.Tool{
			Server:      fmt.Sprintf("%s-%d", d.name, server+1),
			Name:        v.name + "_" + strings.ReplaceAll(noun, " ", "_"),
			Description: description(random, v, noun),
			InputSchema: inputSchema(random, noun),
		}
	}
	return tools
}

// description has 60 to 300 bytes.
func description(random *rand.Rand, v verb, noun string) string {
	text := fmt.Sprintf(v.says, noun) + "."
	for range 1 + random.IntN(3) {
		text += " " + remarks[random.IntN(len(remarks))]
	}
	return text
}

// inputSchema has an id and two to five more parameters.
func inputSchema(random *rand.Rand, noun string) json.RawMessage {
	id := strings.ReplaceAll(noun, " ", "_") + "_id"
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":"object","properties":{%q:{"type":"string","description":"Id of the %s"}`, id, noun)
	for _, i := range random.Perm(len(parameters))[:2+random.IntN(4)] {
		fmt.Fprintf(&b, ",%q:%s", parameters[i].name, parameters[i].schema)
	}
	fmt.Fprintf(&b, `},"required":[%q],"additionalProperties":false}`, id)
	return json.RawMessage(b.String())
}

// asked are questions for made-up tools, in the words of those who do not know them.
var asked = []string{
	"which invoices are overdue",
	"open a bug report in the repository",
	"what will the weather be like tomorrow in Paris",
	"I need a cheap hotel near the beach for two people in July",
	"convert an amount to another currency",
	"run a sql query and give me the rows",
	"send an email with an attachment",
	"summarize the transcript of a video",
	"create_event",
	"turn the lamp in the kitchen on at seven",
	"how many tickets did every agent close last month",
	"delete old snapshots of a volume",
}

// questions are the queries of the searches: for tools of the caller the beginnings
// of their own descriptions.
func (e *Env) questions() []string {
	if len(e.Tools) == 0 {
		return asked
	}
	const several, words = 32, 7
	var questions []string
	for i := 0; i < len(e.Tools); i += max(1, len(e.Tools)/several) {
		fields := strings.Fields(e.Tools[i].Description)
		if question := strings.Join(fields[:min(words, len(fields))], " "); question != "" {
			questions = append(questions, question)
		}
	}
	if len(questions) == 0 {
		return asked
	}
	return questions
}
