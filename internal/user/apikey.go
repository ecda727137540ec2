package user

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// How long and how many API keys are remembered. A key that is withdrawn in
// another process works here for at most keyLife longer.
const (
	keyLife = 3 * time.Second
	keyMax  = 1024
)

// keyCache remembers the owners of API keys for a moment, so that a script's
// requests cost no query each. Keys that do not exist are not remembered.
type keyCache struct {
	now  func() time.Time
	mu   sync.Mutex
	keys map[[sha256.Size]byte]cachedKey
}

type cachedKey struct {
	user  galaxy.User
	until time.Time
}

func newKeyCache(now func() time.Time) *keyCache {
	return &keyCache{now: now, keys: map[[sha256.Size]byte]cachedKey{}}
}

func (c *keyCache) get(key string) (galaxy.User, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[sha256.Sum256([]byte(key))]
	return k.user, ok && c.now().Before(k.until)
}

func (c *keyCache) put(key string, u galaxy.User) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= keyMax {
		clear(c.keys)
	}
	c.keys[sha256.Sum256([]byte(key))] = cachedKey{u, c.now().Add(keyLife)}
}

// forget drops what is known, after an account or its keys changed.
func (c *keyCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.keys)
}

// ByAPIKey finds who an API key belongs to: the bootstrap administrator, or a
// user whose newest key it is. Anything else is an error of kind
// Unauthenticated.
func (s *Service) ByAPIKey(ctx context.Context, key string) (*galaxy.Actor, error) {
	if s.isBootstrapKey(key) {
		return &galaxy.Actor{Admin: true, Bootstrap: true, ByAPIKey: true}, nil
	}
	u, ok := s.keys.get(key)
	if !ok {
		owner, err := store.UserByAPIKey(ctx, s.db, key)
		switch {
		case errors.Is(err, store.ErrNoRows):
			return nil, galaxy.Errorf(galaxy.Unauthenticated, "Provided API key is not valid.")
		case err != nil:
			return nil, err
		case owner.Deleted:
			return nil, galaxy.Errorf(galaxy.Unauthenticated, "The account of this API key is deactivated; ask the administrator.")
		case owner.Expired:
			return nil, galaxy.Errorf(galaxy.Unauthenticated, "Provided API key has expired.")
		}
		u = owner.User
		s.keys.put(key, u)
	}
	a := s.Actor(&u)
	a.ByAPIKey = true
	return a, nil
}

// APIKey gives a user's key; ok is false without one.
func (s *Service) APIKey(ctx context.Context, userID int64) (key store.APIKey, ok bool, err error) {
	key, err = store.NewestAPIKey(ctx, s.db, userID)
	if errors.Is(err, store.ErrNoRows) {
		return key, false, nil
	}
	return key, err == nil, err
}

// CreateAPIKey gives a user a new key, which replaces the one before.
func (s *Service) CreateAPIKey(ctx context.Context, userID int64) (key store.APIKey, err error) {
	err = s.db.Write(ctx, func(tx *store.Tx) (err error) {
		tx.AfterCommit(s.keys.forget)
		key, err = store.CreateAPIKey(ctx, tx, userID, galaxy.NewGUID())
		return err
	})
	return key, err
}

// APIKeyOrNew gives a user's key, a new one if there is none.
func (s *Service) APIKeyOrNew(ctx context.Context, userID int64) (store.APIKey, error) {
	key, ok, err := s.APIKey(ctx, userID)
	if ok || err != nil {
		return key, err
	}
	return s.CreateAPIKey(ctx, userID)
}

// DeleteAPIKeys takes a user's key away.
func (s *Service) DeleteAPIKeys(ctx context.Context, userID int64) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		tx.AfterCommit(s.keys.forget)
		return store.DeleteAPIKeys(ctx, tx, userID)
	})
}
