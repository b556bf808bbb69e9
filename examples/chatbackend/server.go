package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/conductor/conductor"
)

const (
	maxBody  = 64 << 10        // bytes of a request
	maxChats = 1000            // conversations; the one used longest ago is forgotten
	maxTurn  = 3 * time.Minute // for one answer, with all its rounds
)

// A server answers POST /chat. It knows no users: put it behind something that
// does before others can reach it.
type server struct {
	conductor *conductor.Conductor
	model     *model
	log       *slog.Logger

	mu    sync.Mutex
	chats map[string]*chat
	clock int // counts the uses of chats
}

// A chat is one conversation with its history.
type chat struct {
	conv *conductor.Conversation
	used int // when, by server.clock; guarded by server.mu

	turn    sync.Mutex // held while a turn is under way; guards history
	history []message
}

func newServer(c *conductor.Conductor, m *model, log *slog.Logger) http.Handler {
	s := &server{conductor: c, model: m, log: log, chats: map[string]*chat{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/chat", s.handle)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, http.StatusNotFound, chatResponse{Error: "there is nothing here: use POST /chat"})
	})
	return mux
}

type chatRequest struct {
	Conversation string `json:"conversation"` // empty begins a new one
	Message      string `json:"message"`
}

type chatResponse struct {
	Conversation string `json:"conversation,omitempty"`
	Reply        string `json:"reply,omitempty"`
	Error        string `json:"error,omitempty"` // instead of a reply
	Steps        []step `json:"steps,omitempty"` // also those before an error
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	request, status, problem := readRequest(w, r)
	if problem != "" {
		write(w, status, chatResponse{Error: problem})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxTurn)
	defer cancel()
	c, err := s.chat(ctx, request.Conversation)
	switch {
	case err != nil:
		s.log.Error("beginning a conversation", "error", err)
		write(w, http.StatusInternalServerError, chatResponse{Error: "no conversation can be begun now; the log of the server says why"})
		return
	case c == nil:
		write(w, http.StatusNotFound, chatResponse{Error: "there is no such conversation (any more); leave it empty to begin one"})
		return
	case !c.turn.TryLock():
		write(w, http.StatusConflict, chatResponse{Conversation: c.conv.ID(), Error: "the conversation waits for an answer; send the next message after it"})
		return
	}
	defer c.turn.Unlock()
	s.takeTurn(ctx, w, c, request.Message)
}

func (s *server) takeTurn(ctx context.Context, w http.ResponseWriter, c *chat, text string) {
	before := len(c.history)
	history, err := answer(ctx, s.model, c.conv, append(c.history, message{Role: "user", Content: text}))
	response := chatResponse{Conversation: c.conv.ID(), Steps: steps(history[before:])}
	if err != nil {
		c.history = recent(closeTurn(history))
		s.log.Error("a turn failed", "conversation", c.conv.ID(), "error", err)
		status, problem := explain(err)
		response.Error = problem
		write(w, status, response)
		return
	}
	c.history = recent(history)
	response.Reply = history[len(history)-1].Content
	write(w, http.StatusOK, response)
}

// explain says what users may know of an error. The rest is in the log: a provider's
// words can be about the account.
func explain(err error) (status int, problem string) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "the answer took too long"
	case errors.Is(err, errRounds):
		return http.StatusBadGateway, "the model called tools again and again and came to no answer; ask for less at a time"
	case errors.Is(err, errModel):
		return http.StatusBadGateway, "the model does not answer now; the log of the server says why"
	}
	return http.StatusInternalServerError, "the tools cannot be used now; the log of the server says why"
}

// chat returns the conversation with an id, nil if there is none, or a new one for
// the empty id.
func (s *server) chat(ctx context.Context, id string) (*chat, error) {
	s.mu.Lock()
	c := s.chats[id]
	if c != nil {
		s.use(c)
	}
	s.mu.Unlock()
	if c != nil || id != "" {
		return c, nil
	}
	conv, err := s.conductor.Conversation(ctx, "")
	if err != nil {
		return nil, err
	}
	c = &chat{conv: conv}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.chats) >= maxChats {
		s.forgetOldest()
	}
	s.use(c)
	s.chats[conv.ID()] = c
	return c, nil
}

func (s *server) use(c *chat) {
	s.clock++
	c.used = s.clock
}

func (s *server) forgetOldest() {
	oldest := ""
	for id, c := range s.chats {
		if oldest == "" || c.used < s.chats[oldest].used {
			oldest = id
		}
	}
	delete(s.chats, oldest)
}

// readRequest returns the request, or what is wrong with it.
func readRequest(w http.ResponseWriter, r *http.Request) (request chatRequest, status int, problem string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return request, http.StatusMethodNotAllowed, "use POST"
	}
	// A web page can send a form to any address, also to a loopback one, but JSON
	// only if the browser has asked and was allowed.
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return request, http.StatusUnsupportedMediaType, "the header Content-Type must be application/json"
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&request)
	if err == nil {
		if _, more := decoder.Token(); more == nil {
			err = errors.New("something follows the object")
		} else if !errors.Is(more, io.EOF) {
			err = more
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return request, http.StatusRequestEntityTooLarge, "the message is too long"
	case err != nil:
		return request, http.StatusBadRequest, `want {"conversation": "an id, or empty", "message": "text"}: ` + strings.TrimPrefix(err.Error(), "json: ")
	case strings.TrimSpace(request.Message) == "":
		return request, http.StatusBadRequest, "the message is empty"
	}
	return request, 0, ""
}

func write(w http.ResponseWriter, status int, response chatResponse) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // programs are full of <, > and &
	_ = encoder.Encode(response) // who does not read it has gone
}
