package user

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of what people may call themselves.
const (
	maxNameLength     = 255 // characters of an address or a public name
	minPasswordLength = 6   // characters
	// maxPasswordLength bounds the work of hashing; Galaxy has no such limit,
	// but nobody types this much.
	maxPasswordLength = 4096
)

// The address form that browsers accept, with letters and digits of any script.
var emailForm = regexp.MustCompile("^[\\p{L}\\p{N}_.!#$%&'*+/=?^`{|}~-]+@" + emailLabel + `(?:\.` + emailLabel + `)*$`)

const emailLabel = `[\p{L}\p{N}_](?:[\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?`

var usernameForm = regexp.MustCompile(`^[a-z0-9._-]+$`)

var usernameUnsafe = regexp.MustCompile(`[^a-z0-9.-]`)

// IsEmail tells whether a text has the form of an e-mail address, which no
// public name has.
func IsEmail(s string) bool { return len(s) <= 4*maxNameLength && emailForm.MatchString(s) }

// emailProblem says what is wrong with the form of an address, or "".
func (s *Service) emailProblem(email string) string {
	switch {
	case email == "":
		return "No email address was provided."
	case utf8.RuneCountInString(email) > maxNameLength:
		return fmt.Sprintf("Email address cannot be more than %d characters in length.", maxNameLength)
	case !IsEmail(email):
		return "The format of the email address is not correct."
	}
	domain := strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
	if s.opts.EmailDomainAllowlist != nil {
		if !slices.Contains(s.opts.EmailDomainAllowlist, domain) {
			return "This server takes only addresses of certain domains; use one of those."
		}
		return ""
	}
	if labels := strings.Split(domain, "."); len(labels) > 2 {
		domain = strings.Join(labels[len(labels)-2:], ".")
	}
	if slices.Contains(s.opts.EmailDomainBlocklist, domain) {
		return "This server does not take addresses of this domain; use a permanent one."
	}
	return ""
}

// usernameProblem says what is wrong with the form of a public name, or "".
func usernameProblem(name string) string {
	switch {
	case name == "":
		return "Public name cannot be empty"
	case utf8.RuneCountInString(name) > maxNameLength:
		return fmt.Sprintf("Public name cannot be more than %d characters in length.", maxNameLength)
	case !usernameForm.MatchString(name):
		return "Public name must contain only lower-case letters, numbers, '.', '_' and '-'."
	}
	return ""
}

// passwordProblem says what is wrong with a new password, or "".
func passwordProblem(password, confirm string) string {
	switch n := utf8.RuneCountInString(password); {
	case password != confirm:
		return "Passwords do not match."
	case n < minPasswordLength:
		return fmt.Sprintf("Use a password of at least %d characters.", minPasswordLength)
	case n > maxPasswordLength:
		return fmt.Sprintf("Use a password of at most %d characters.", maxPasswordLength)
	}
	return ""
}
