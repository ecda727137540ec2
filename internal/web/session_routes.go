package web

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"orrery/internal/api"
	"orrery/internal/galaxy"
	"orrery/internal/user"
)

// Register adds the routes of the login pages: /user/login, /user/logout,
// /user/create and /user/change_password.
func (s *Sessions) Register(rt *api.Router) {
	rt.Handle("POST /user/login", s.login)
	rt.Handle("GET /user/logout", s.logout)
	rt.Handle("POST /user/logout", s.logout)
	rt.Handle("POST /user/create", s.create)
	rt.Handle("POST /user/change_password", s.changePassword)
	rt.Handle("POST /user/reset_password", s.resetPassword)
}

// message is the answer of these routes.
type message struct {
	Message string `json:"message"`
}

// form is what the login pages send, as JSON or as a form.
type form map[string]any

func (f form) text(name string) string {
	s, _ := f[name].(string)
	return s
}

// maxForm bounds what a login page sends, in bytes.
const maxForm = 1 << 16

func readForm(r *api.Request) (form, error) {
	f := form{}
	r.Body = http.MaxBytesReader(r.W, r.Body, maxForm)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data" {
		err := r.ParseMultipartForm(maxForm)
		if err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return nil, galaxy.Errorf(galaxy.Invalid, "The form could not be read: %w", err)
		}
		for name, values := range r.PostForm {
			f[name] = values[0]
		}
	} else if err := r.JSON(&f); err != nil {
		return nil, err
	}
	for name, values := range r.URL.Query() {
		if _, ok := f[name]; !ok && name != "password" && name != "confirm" {
			f[name] = values[0]
		}
	}
	return f, nil
}

// checkToken is an error unless the form proves that it comes from a page of
// this session.
func (s *Sessions) checkToken(a *galaxy.Actor, f form) error {
	token := f.text("session_csrf_token")
	if token == "" {
		return galaxy.Errorf(galaxy.Invalid, "No session token set, denying request.")
	}
	if want := s.CSRFToken(a); want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(token)) != 1 {
		return galaxy.Errorf(galaxy.Invalid, "Wrong session token found, denying request. Load the page again.")
	}
	return nil
}

func (s *Sessions) login(r *api.Request) (any, error) {
	f, err := readForm(r)
	if err != nil {
		return nil, err
	}
	if err := s.checkToken(r.Actor, f); err != nil {
		return nil, err
	}
	found, err := s.users.CheckPassword(r.Ctx(), strings.TrimSpace(f.text("login")), f.text("password"))
	if err != nil {
		return nil, err
	}
	if found.Expired {
		return map[string]any{
			"message": "Your password has expired. Please reset or change it to access Galaxy.", "status": "warning",
			"expired_user": s.ids.Encode(found.User.ID),
		}, nil
	}
	if err := s.logIn(r, found.User.ID); err != nil {
		return nil, err
	}
	if found.ExpiresIn > 0 {
		return map[string]any{"message": fmt.Sprintf("Your password will expire in %d day(s).", found.ExpiresIn), "status": "warning"}, nil
	}
	return map[string]any{"message": "Success.", "redirect": safeRedirect(f.text("redirect"))}, nil
}

// logIn replaces the request's session by one of the user.
func (s *Sessions) logIn(r *api.Request, userID int64) error {
	session, err := s.users.LogIn(r.Ctx(), r.Actor.SessionID, userID, visitor(r.Request))
	if err != nil {
		return err
	}
	s.setCookie(r.W, r.Request, session.Key)
	return nil
}

// safeRedirect is where to go after logging in: a path of this server, or
// nowhere (nil), never another site.
func safeRedirect(to string) any {
	if to == "" || to == "None" {
		return nil
	}
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(u.Path, "/user/logout") {
		return "/"
	}
	return to
}

func (s *Sessions) logout(r *api.Request) (any, error) {
	f, err := readForm(r)
	if err != nil {
		return nil, err
	}
	if err := s.checkToken(r.Actor, f); err != nil {
		return nil, err
	}
	everywhere := f["logout_all"] == true || strings.EqualFold(f.text("logout_all"), "true")
	session, err := s.users.LogOut(r.Ctx(), r.Actor.SessionID, r.Actor.UserID(), everywhere, visitor(r.Request))
	if err != nil {
		return nil, err
	}
	s.setCookie(r.W, r.Request, session.Key)
	return message{"Success."}, nil
}

func (s *Sessions) create(r *api.Request) (any, error) {
	f, err := readForm(r)
	if err != nil {
		return nil, err
	}
	if err := s.checkToken(r.Actor, f); err != nil {
		return nil, err
	}
	reg := user.Registration{Email: f.text("email"), Username: f.text("username"), Password: f.text("password"), Confirm: f.text("confirm")}
	if reg.Email == "" || reg.Username == "" || reg.Password == "" || reg.Confirm == "" {
		return nil, galaxy.Errorf(galaxy.Invalid, "Please provide email, username and password.")
	}
	made, err := s.users.Register(r.Ctx(), r.Actor, reg)
	if err != nil {
		return nil, err
	}
	if !r.Actor.Admin { // an administrator makes it for somebody else
		if err := s.logIn(r, made.ID); err != nil {
			return nil, err
		}
	}
	return message{"Success."}, nil
}

// changePassword serves people who cannot log in: their password expired (then
// they know it), or they have a token from the administrator.
func (s *Sessions) changePassword(r *api.Request) (any, error) {
	// It logs in, so another site must not be able to, even without a session.
	if err := s.checkSite(r.Request); err != nil {
		return nil, err
	}
	f, err := readForm(r)
	if err != nil {
		return nil, err
	}
	var userID int64
	if token := f.text("token"); token != "" {
		u, err := s.users.ResetPassword(r.Ctx(), token, f.text("password"), f.text("confirm"), r.Actor.SessionID)
		if err != nil {
			return nil, err
		}
		userID = u.ID
	} else {
		if userID, err = s.ids.Decode(f.text("id")); err != nil {
			return nil, galaxy.Errorf(galaxy.Invalid, "Please provide a token or a user and password.")
		}
		if _, err := s.users.ChangePassword(r.Ctx(), userID, f.text("current"), f.text("password"), f.text("confirm"), r.Actor.SessionID); err != nil {
			return nil, err
		}
	}
	if err := s.logIn(r, userID); err != nil {
		return nil, err
	}
	return message{"Password has been changed."}, nil
}

// resetPassword would send a letter, which this server cannot.
func (s *Sessions) resetPassword(*api.Request) (any, error) {
	return nil, galaxy.Errorf(galaxy.Invalid, "This server sends no mail, so it cannot reset a password. Ask its administrator.")
}
