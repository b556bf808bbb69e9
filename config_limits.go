package conductor

import (
	"encoding/json"
	"math"

	"github.com/conductor/conductor/mcpclient"
)

// limitKeys are the keys of a server that say how it is called.
var limitKeys = []string{
	"connect_timeout", "call_timeout", "max_call_timeout", "max_concurrency", "sharing", "max_connections", "idle_timeout",
}

// limit reads one of limitKeys.
func (r *configReader) limit(path, key string, raw json.RawMessage, s *mcpclient.Server) {
	switch key {
	case "connect_timeout":
		s.ConnectTimeout = r.duration(path, raw, math.MaxInt64)
	case "call_timeout":
		s.CallTimeout = r.duration(path, raw, math.MaxInt64)
	case "max_call_timeout":
		s.MaxCallTimeout = r.duration(path, raw, math.MaxInt64)
	case "max_concurrency":
		s.MaxConcurrency = r.number(path, raw, 1<<16)
	case "sharing":
		s.Sharing = r.sharing(path, raw)
	case "max_connections":
		s.MaxConnections = r.number(path, raw, 1<<10)
	case "idle_timeout":
		s.IdleTimeout = r.duration(path, raw, math.MaxInt64)
	}
}

// limited checks what makes sense only together.
func (r *configReader) limited(path string, s *mcpclient.Server) {
	if s.Sharing == mcpclient.SharingPerConversation {
		return
	}
	if s.MaxConnections != 0 || s.IdleTimeout != 0 {
		r.problem(path, `max_connections and idle_timeout need "sharing": "per-conversation"`)
	}
}

func (r *configReader) sharing(path string, raw json.RawMessage) mcpclient.Sharing {
	text, ok := r.text(path, raw)
	switch sharing := mcpclient.Sharing(text); sharing {
	case mcpclient.SharingShared, mcpclient.SharingPerConversation:
		return sharing
	}
	if ok {
		r.problem(path, "%q is not a choice; want shared or per-conversation", text)
	}
	return ""
}
