package conductor

import "time"

// SetLearning lets what is learned be shared more often, until restore is called.
func SetLearning(every time.Duration, after int) (restore func()) {
	oldEvery, oldAfter := learnEvery, learnAfter
	learnEvery, learnAfter = every, after
	return func() { learnEvery, learnAfter = oldEvery, oldAfter }
}
