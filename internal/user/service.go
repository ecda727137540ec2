package user

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"runtime"
	"strings"
	"time"

	"orrery/internal/access"
	"orrery/internal/galaxy"
	"orrery/internal/store"
)

// Options are the administrator's settings about accounts, each under its
// option's name in galaxy.yml.
type Options struct {
	AdminUsers             []string      // admin_users: e-mail addresses
	BootstrapKey           string        // bootstrap_admin_api_key; "" for none
	SingleUser             string        // single_user: an e-mail address, "" for none
	AllowCreation          bool          // allow_local_account_creation
	AllowDeletion          bool          // allow_user_deletion
	RequireLogin           bool          // require_login
	ExposeNames            bool          // expose_user_name
	ExposeEmails           bool          // expose_user_email
	PrivateDatasets        bool          // new_user_dataset_access_role_default_private
	Quotas                 bool          // enable_quotas
	PasswordExpiration     time.Duration // password_expiration_period; 0 for never
	SessionDuration        time.Duration // session_duration: idle time after which a session ends; 0 for never
	ErrorEmailTo           string        // error_email_to: whom to write to
	EmailDomainAllowlist   []string      // the lines of email_domain_allowlist_file; nil for any
	EmailDomainBlocklist   []string      // the lines of email_domain_blocklist_file
	SelectableObjectStores []string      // ids that a user may prefer; nil when there is no choice
}

// Service keeps the accounts.
type Service struct {
	db     *store.DB
	ids    *galaxy.IDCodec
	opts   Options
	admins map[string]bool
	keys   *keyCache
	// hashing bounds how many passwords are hashed at once, since each takes
	// tens of milliseconds of a processor.
	hashing chan struct{}
	// StopJobs is asked, in the transaction that deletes an account, to end the
	// account's jobs. Nil when nobody runs any.
	StopJobs func(ctx context.Context, tx *store.Tx, userID int64) error
}

// New makes the service.
func New(db *store.DB, ids *galaxy.IDCodec, opts Options) *Service {
	s := &Service{
		db: db, ids: ids, opts: opts, admins: map[string]bool{}, keys: newKeyCache(db.Now),
		hashing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	for _, email := range opts.AdminUsers {
		if email = strings.TrimSpace(email); email != "" {
			s.admins[email] = true
		}
	}
	return s
}

// Options gives the settings the service was made with.
func (s *Service) Options() Options { return s.opts }

// IsAdmin tells whether an account administers the server.
func (s *Service) IsAdmin(u *galaxy.User) bool {
	return u != nil && !u.Deleted && s.admins[u.Email]
}

// Actor is a user as the one who asks.
func (s *Service) Actor(u *galaxy.User) *galaxy.Actor {
	return &galaxy.Actor{User: u, Admin: s.IsAdmin(u)}
}

// ByID finds an account, deleted or not.
func (s *Service) ByID(ctx context.Context, id int64) (*store.UserRow, error) {
	u, err := store.UserByID(ctx, s.db, id)
	if errors.Is(err, store.ErrNoRows) {
		return nil, galaxy.Errorf(galaxy.NotFound, "There is no user with this id")
	}
	return u, err
}

// ForActor finds the account of that id if the actor may act for it: the own
// one, or any for an administrator.
func (s *Service) ForActor(ctx context.Context, a *galaxy.Actor, id int64) (*store.UserRow, error) {
	if err := access.ActFor(a, id); err != nil {
		return nil, err
	}
	return s.ByID(ctx, id)
}

// ListFilter selects accounts for List; see store.UserFilter.
type ListFilter = store.UserFilter

// List gives the accounts that the actor may know of: all for an administrator,
// all that are not deleted if names or addresses are exposed, else only the
// own one. A filter on what is not exposed is ignored. The caller must still
// leave out what is not exposed, see Exposes.
func (s *Service) List(ctx context.Context, a *galaxy.Actor, f ListFilter) ([]*store.UserRow, error) {
	if a.Anonymous() {
		return nil, access.LoginRequired("Only registered users can view the list of users")
	}
	if a.Admin {
		return store.Users(ctx, s.db, f)
	}
	if f.Deleted {
		return nil, nil
	}
	if !s.opts.ExposeNames && !s.opts.ExposeEmails {
		u, err := s.ByID(ctx, a.UserID())
		if err != nil {
			return nil, err
		}
		return []*store.UserRow{u}, nil
	}
	if !s.opts.ExposeEmails {
		f.Username, f.Email = max(f.Username, f.EmailOrUsername), ""
		f.EmailOrUsername = ""
	} else if !s.opts.ExposeNames {
		f.Email, f.Username = max(f.Email, f.EmailOrUsername), ""
		f.EmailOrUsername = ""
	}
	return store.Users(ctx, s.db, f)
}

// Table gives a page of the administrator's table of accounts, and how many
// lines it has in all.
func (s *Service) Table(ctx context.Context, a *galaxy.Actor, t store.UserTable) ([]store.UserTableRow, int, error) {
	if !a.Admin {
		return nil, 0, galaxy.Errorf(galaxy.Forbidden, "Only administrators see the table of accounts")
	}
	return t.Users(ctx, s.db)
}

// Exposes tells what the actor may see of another account.
func (s *Service) Exposes(a *galaxy.Actor, u *store.UserRow) (name, email bool) {
	if a.Admin || a.UserID() == u.ID {
		return true, true
	}
	return s.opts.ExposeNames, s.opts.ExposeEmails
}

// isBootstrapKey compares in a time that tells nothing of the key.
func (s *Service) isBootstrapKey(key string) bool {
	if s.opts.BootstrapKey == "" {
		return false
	}
	want, got := sha256.Sum256([]byte(s.opts.BootstrapKey)), sha256.Sum256([]byte(key))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}
