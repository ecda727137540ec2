package galaxy

import (
	"errors"
	"fmt"
)

// Kind classifies an error by what the person who sees it can do about it. The
// API turns it into an HTTP status and one of Galaxy's numeric error codes.
type Kind int

// The kinds, each with the HTTP status it becomes.
const (
	// Internal is a fault of the server (500); the person is told so, the
	// details go to the log.
	Internal Kind = iota
	// Invalid is a request that cannot be understood or fails a check (400).
	Invalid
	// MalformedID is an identifier that is not one of Galaxy's (400).
	MalformedID
	// Unauthenticated asks the person to log in (401).
	Unauthenticated
	// Forbidden is something this person may not do (403).
	Forbidden
	// NotFound is something that does not exist (404).
	NotFound
	// Conflict is a request that contradicts the present state (409).
	Conflict
	// TooLarge is a body beyond a limit (413).
	TooLarge
	// Unavailable is something that will work later or on another server (503).
	Unavailable
	// NotImplemented is a part of Galaxy's API that this server lacks (501).
	NotImplemented
	// InsufficientStorage is a full disk or an exhausted quota (507).
	InsufficientStorage
)

// Error is an answer to a person: a kind and a sentence that says what is wrong
// and what to do.
type Error struct {
	Kind    Kind
	Message string
	// Details is added to the API's answer, for example {"err_data": {...}}.
	Details map[string]any
	// Cause is the underlying error, for the log only.
	Cause error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error of the given kind; the message is formatted as by
// fmt.Errorf, and a %w verb sets its cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// KindOf tells the kind of the first Error in err's chain; Internal if none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
