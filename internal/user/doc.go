// Package user is what people do with their accounts: registering, logging in
// and out, changing what is known of them, API keys, preferences and quotas,
// and the sessions of visitors.
//
// It imports galaxy, store and access. Begin reading at service.go.
package user
