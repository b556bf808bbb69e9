package conductor

import "time"

// SetSharing lets what is learned be shared more often, until restore is called.
func SetSharing(every time.Duration, after int) (restore func()) {
	oldEvery, oldAfter := shareEvery, shareAfter
	shareEvery, shareAfter = every, after
	return func() { shareEvery, shareAfter = oldEvery, oldAfter }
}

// MergeShapes reads stored shapes and writes them again.
func MergeShapes(stored []byte) ([]byte, error) {
	_, merged, err := mergeShapes(stored, nil)
	return merged, err
}

// ReadRequest reads the arguments of a feature's call.
func ReadRequest(raw []byte) error {
	_, err := readRequest(raw)
	return err
}
