package codegen

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// SchemaHash returns a hash of a tool's name, input schema and output schema, as
// 32 hexadecimal digits. It does not depend on the order of keys and on blanks
// in the schemas, nor on anything else about the tool. A host keeps what it
// learned about a tool under the hash, and learns anew when it changes.
func SchemaHash(t Tool) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte("1"), []byte(t.Name), canonical(t.InputSchema), canonical(t.OutputSchema)} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// canonical is the schema with sorted keys and without blanks; what cannot be
// read is taken as it is.
func canonical(schema []byte) []byte {
	v, err := decode(schema)
	if err != nil {
		return bytes.TrimSpace(schema)
	}
	return v.appendJSON(nil, math.MaxInt)
}
