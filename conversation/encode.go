package conversation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// stateFormat is what Encode writes and DecodeState reads. A field that is added is
// no new format: see [State].
const stateFormat = 1

// unknownFields are those of a newer version, kept as they are.
type unknownFields map[string]json.RawMessage

// knownFields are the keys that State and its format have in JSON.
var knownFields = func() []string {
	known := []string{"format"}
	t := reflect.TypeFor[State]()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			known = append(known, name)
		}
	}
	return known
}()

// isKnown compares as encoding/json does.
func isKnown(name string) bool {
	return slices.ContainsFunc(knownFields, func(known string) bool { return strings.EqualFold(known, name) })
}

// Encode returns the state as JSON, without what belongs to its record. The same
// state has the same bytes. The error wraps [ErrTooLarge] or [ErrDamaged] if the
// state could not be read again.
func (s *State) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(struct {
		Format int `json:"format"`
		*State
	}{stateFormat, s})
	if err != nil || len(s.unknown) == 0 {
		return data, err
	}
	unknown, err := json.Marshal(s.unknown) // sorts the keys
	if err != nil {
		return nil, err
	}
	return append(append(data[:len(data)-1], ','), unknown[1:]...), nil
}

// DecodeState reads what [State.Encode] has written, or anything else: the error
// wraps [ErrDamaged] for what it cannot have written, [ErrTooLarge] for what is
// beyond a bound, and [ErrFormat] for another format. ID, Version and Updated are
// those of the record.
func DecodeState(data []byte) (*State, error) {
	if len(data) > MaxData {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrTooLarge, len(data), MaxData)
	}
	var fields unknownFields
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var format int
	if err := json.Unmarshal(fields["format"], &format); err != nil || format < 1 {
		return nil, fmt.Errorf("%w: it has no format", ErrDamaged)
	}
	if format != stateFormat {
		return nil, fmt.Errorf("%w %d: this version of Conductor reads format %d; use a newer one, or delete it", ErrFormat, format, stateFormat)
	}
	s := &State{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool { return isKnown(name) })
	if len(fields) > 0 {
		s.unknown = fields
	}
	return s, s.check()
}
