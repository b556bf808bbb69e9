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
	"github.com/conductor/conductor/conversation"
)

const (
	maxBody = 64 << 10        // bytes of a request
	maxTurn = 3 * time.Minute // for one answer, with all its rounds
)

// A server answers POST /chat. It keeps nothing itself: what was said is in the store,
// beside what Conductor remembers, so that a conversation survives a restart and may go
// on at another replica. It knows no users: put it behind something that does before
// others can reach it.
type server struct {
	conductor *conductor.Conductor
	model     *model
	store     conversation.Store
	log       *slog.Logger

	mu   sync.Mutex
	busy map[string]bool // conversations of which a turn is under way here
}

func newServer(c *conductor.Conductor, m *model, store conversation.Store, log *slog.Logger) http.Handler {
	s := &server{conductor: c, model: m, store: store, log: log, busy: map[string]bool{}}
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
	conv, err := s.conductor.Conversation(ctx, request.Conversation)
	var history []message
	if err == nil {
		if !s.begin(conv.ID()) {
			write(w, http.StatusConflict, chatResponse{Conversation: conv.ID(), Error: "the conversation waits for an answer; send the next message after it"})
			return
		}
		defer s.end(conv.ID())
		history, err = loadHistory(ctx, s.store, request.Conversation)
	}
	if errors.Is(err, conversation.ErrNotFound) || errors.Is(err, conversation.ErrInvalidID) {
		write(w, http.StatusNotFound, chatResponse{Error: "there is no such conversation (any more); leave it empty to begin one"})
		return
	}
	if err != nil {
		s.log.Error("beginning a turn", "conversation", request.Conversation, "error", err)
		write(w, http.StatusInternalServerError, chatResponse{Error: "no conversation can be had now; the log of the server says why"})
		return
	}
	s.takeTurn(ctx, w, conv, history, request.Message)
}

func (s *server) takeTurn(ctx context.Context, w http.ResponseWriter, conv *conductor.Conversation, history []message, text string) {
	before := len(history)
	history, err := answer(ctx, s.model, conv, append(history, message{Role: "user", Content: text}))
	response := chatResponse{Conversation: conv.ID(), Steps: steps(history[before:])}
	status := http.StatusOK
	if err != nil {
		history = closeTurn(history)
		s.log.Error("a turn failed", "conversation", conv.ID(), "error", err)
		status, response.Error = explain(err)
	} else {
		response.Reply = history[len(history)-1].Content
	}
	if err := saveTurn(ctx, s.store, conv.ID(), history[before:]); err != nil {
		s.log.Error("a turn is not remembered", "conversation", conv.ID(), "error", err)
	}
	write(w, status, response)
}

// begin tells whether a turn of the conversation can begin. Turns at several replicas
// at the same time are for whoever sends them there; none is lost.
func (s *server) begin(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id] {
		return false
	}
	s.busy[id] = true
	return true
}

func (s *server) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
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
