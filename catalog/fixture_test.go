package catalog_test

import (
	"encoding/json"
	"strings"

	"github.com/conductor/conductor/catalog"
)

// fixture returns seven servers with 42 tools, written for these tests. A tool is
// "name | description | parameter:description, …".
func fixture() []catalog.Server {
	return []catalog.Server{
		server("github", "GitHub", "Repositories, issues and pull requests on GitHub", `
			create_issue | Create a new issue in a repository. | owner:Account that owns the repository, repo:Repository name, title:Title, body:Text in Markdown
			list_issues | List the issues of a repository, newest first. | owner:Account, repo:Repository, state:open or closed
			add_issue_comment | Add a comment to an existing issue. | issue_number:Number of the issue, body:Comment text
			create_pull_request | Open a pull request from one branch into another. | head:Branch with the changes, base:Branch to merge into
			merge_pull_request | Merge a pull request. | pull_number:Number, merge_method:merge, squash or rebase
			search_code | Search for code across repositories. | q:Query in GitHub search syntax
			get_file_contents | Read a file or folder from a repository. | path:Path in the repository, ref:Branch
			fork_repository | Fork a repository to your account. | owner:Account, repo:Repository`),
		server("slack", "Slack", "Team chat", `
			postMessage | Posts a message to a channel. | channel:Channel id, text:Message
			listChannels | Lists public channels of the workspace. | limit:How many
			addReaction | Adds an emoji reaction to a message. | timestamp:Message, emoji:Name of the emoji
			getThreadReplies | Gets all replies in a message thread. | thread_ts:Parent message
			getUserProfile | Gets the profile of a user. | user_id:User`),
		server("files", "Filesystem", "Local files", `
			read_file | Read the complete contents of a file. | path:Path to the file
			write_file | Create a file or overwrite an existing one. | path:Path, content:New content
			move_file | Move or rename files and directories. | source:From, destination:To
			list_directory | List files and directories in a path. | path:Path
			create_directory | Create a new directory or make sure that it exists. | path:Path
			search_files | Recursively search for files matching a pattern. | pattern:Glob pattern
			get_file_info | Metadata of a file: size, permissions, creation time. | path:Path`),
		server("postgres", "PostgreSQL", "Read access to a Postgres database", `
			query | Run a read-only SQL query. | sql:Statement
			list_tables | List the tables of a schema. | schema:Schema name
			describe_table | Columns and types of a table. | table:Table name
			explain_query | Show the execution plan of a query. | sql:Statement`),
		server("travel", "Travel", "Flights, hotels and weather", `
			search_flights | Find flights between two airports on a date. | origin:IATA code, destination:IATA code, date:Departure
			book_flight | Reserve seats on a flight. | flight_id:Flight, passengers:Names
			search_hotels | Find hotels in a city. | city:City, check_in:First night, check_out:Departure
			weather_forecast | Forecast for the next days: temperature, rain and wind. | city:City, days:How many
			convert_currency | Convert an amount between currencies at today's exchange rate. | amount:Amount, from:Currency, to:Currency
			get_visa_rules | Entry requirements for a nationality. | nationality:Passport, country:Destination`),
		server("mail", "Mail", "Mailbox and calendar", `
			send_email | Send an email. | to:Recipients, subject:Subject, body:Text
			search_emails | Search the mailbox. | query:Words
			delete_email | Move an email to the trash. | id:Email
			create_event | Put an event into the calendar. | start:Start time, attendees:Invited people
			find_free_time | Find slots when all attendees are free. | attendees:People, duration:Minutes
			reply_to_email | Answer an email. | id:Email, body:Text`),
		server("media", "Media", "", `
			generate_image | Generate an image from a text prompt. | prompt:What to draw, style:Style
			transcribeAudio | Transcribe speech in an audio file to text. | url:Audio file, language:Language
			translate_text | Translate text into another language. | text:Text, target:Language
			get_video_transcript | Subtitles of a YouTube video. | video_url:Address
			take_screenshot | Capture an image of a web page. | url:Page
			text_to_speech | Read text aloud with a natural voice. | text:Text, voice:Voice`),
	}
}

func server(name, title, description, tools string) catalog.Server {
	s := catalog.Server{Name: name, Title: title, Description: description}
	for _, line := range strings.Split(strings.TrimSpace(tools), "\n") {
		parts := strings.Split(line, "|")
		props := make(map[string]any)
		for _, p := range strings.Split(parts[2], ", ") {
			if n, d, ok := strings.Cut(strings.TrimSpace(p), ":"); ok {
				props[n] = map[string]any{"type": "string", "description": d}
			}
		}
		schema, err := json.Marshal(map[string]any{"type": "object", "properties": props})
		if err != nil {
			panic(err)
		}
		s.Tools = append(s.Tools, catalog.Tool{
			Name: strings.TrimSpace(parts[0]), Description: strings.TrimSpace(parts[1]), InputSchema: schema,
		})
	}
	return s
}

// fixtureQueries leads from a query to the tool it is after.
var fixtureQueries = map[string]string{
	"open a new issue":                                   "github.create_issue",
	"file a bug report on the repo":                      "github.create_issue",
	"show open issues":                                   "github.list_issues",
	"comment on issue 12":                                "github.add_issue_comment",
	"open a PR for my branch":                            "github.create_pull_request",
	"squash and merge the pull request":                  "github.merge_pull_request",
	"find where a function is used in code":              "github.search_code",
	"read README from a GitHub repository":               "github.get_file_contents",
	"fork the project":                                   "github.fork_repository",
	"createIssue":                                        "github.create_issue",
	"github.list_issues":                                 "github.list_issues",
	"pull requests merging":                              "github.merge_pull_request",
	"post a message in the channel":                      "slack.postMessage",
	"send a chat message to the team":                    "slack.postMessage",
	"which channels are there in slack":                  "slack.listChannels",
	"react with an emoji":                                "slack.addReaction",
	"replies in a thread":                                "slack.getThreadReplies",
	"profile of a colleague":                             "slack.getUserProfile",
	"post_message":                                       "slack.postMessage",
	"open a text file":                                   "files.read_file",
	"save text to a file":                                "files.write_file",
	"rename a file":                                      "files.move_file",
	"relocate a document to another folder":              "files.move_file",
	"what is in this folder":                             "files.list_directory",
	"make a folder":                                      "files.create_directory",
	"mkdir a new dir":                                    "files.create_directory",
	"find files by glob":                                 "files.search_files",
	"how large is the file":                              "files.get_file_info",
	"when was a file created":                            "files.get_file_info",
	"run sql":                                            "postgres.query",
	"select rows from the database":                      "postgres.query",
	"which tables exist":                                 "postgres.list_tables",
	"columns of a table":                                 "postgres.describe_table",
	"why is my query slow, show the plan":                "postgres.explain_query",
	"cheap plane tickets to Lisbon":                      "travel.search_flights",
	"flights from Berlin to Oslo":                        "travel.search_flights",
	"reserve a seat on the plane":                        "travel.book_flight",
	"book a flight":                                      "travel.book_flight",
	"a place to stay, accommodation in Rome":             "travel.search_hotels",
	"will it rain tomorrow":                              "travel.weather_forecast",
	"what is the temperature in Paris":                   "travel.weather_forecast",
	"how many euros are 20 dollars in another currency":  "travel.convert_currency",
	"forex conversion":                                   "travel.convert_currency",
	"do I need a visa for Japan":                         "travel.get_visa_rules",
	"email the report to Anna":                           "mail.send_email",
	"look for a message from the bank in my inbox":       "mail.search_emails",
	"throw away an email":                                "mail.delete_email",
	"remove mails":                                       "mail.delete_email",
	"schedule a meeting":                                 "mail.create_event",
	"add an appointment to my calendar":                  "mail.create_event",
	"when are all of us free":                            "mail.find_free_time",
	"answer his email":                                   "mail.reply_to_email",
	"draw a picture of a cat":                            "media.generate_image",
	"speech to text":                                     "media.transcribeAudio",
	"transcription of a podcast":                         "media.transcribeAudio",
	"translation to German":                              "media.translate_text",
	"captions of a youtube clip":                         "media.get_video_transcript",
	"capture a screenshot of the website":                "media.take_screenshot",
	"read this aloud":                                    "media.text_to_speech",
	"say something with a voice":                         "media.text_to_speech",
	"take_screnshot":                                     "media.take_screenshot",
	"please use mail.send_email for what I wrote before": "mail.send_email",
}
