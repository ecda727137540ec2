package listen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// The uwsgi protocol, as uwsgi_pass and mod_proxy_uwsgi speak it: one request per connection, which begins with a packet of
// four bytes (modifier1, the size of the rest in little endian, modifier2) and variables as in CGI, each a key and a value
// with their lengths in two bytes before them. The body follows, CONTENT_LENGTH bytes. The answer is HTTP.

// packetHeader is the length of a packet's header.
const packetHeader = 4

// maxUWSGIVars is how many variables a packet may have unless said otherwise.
const maxUWSGIVars = 2000

// The request that a packet asks for cannot be understood; the text is for the administrator of the proxy.
type badPacket struct {
	status string // of HTTP
	text   string
}

func (b *badPacket) Error() string { return b.text }

func bad(format string, args ...any) error {
	return &badPacket{status: "400 Bad Request", text: fmt.Sprintf(format, args...)}
}

// packetSize reads a packet's header: how many bytes of variables follow.
func packetSize(header [packetHeader]byte) (int, error) {
	switch header[0] {
	case 0, 30: // a WSGI request; the same, with SCRIPT_NAME taken off PATH_INFO, neither of which is used
		return int(binary.LittleEndian.Uint16(header[1:])), nil
	case 'G', 'P', 'H', 'D', 'O', 'C', 'T':
		return 0, bad("This socket speaks the uwsgi protocol, and this looks like HTTP: use uwsgi_pass or ProxyPass uwsgi://, or the http option for a socket that speaks HTTP.")
	case 22:
		return 0, bad("This socket speaks the uwsgi protocol without TLS, and this looks like TLS.")
	}
	return 0, bad("This server takes uwsgi requests with modifier 0, not %d.", header[0])
}

// uwsgiVar is a variable of a packet.
type uwsgiVar struct{ key, value string }

// uwsgiVars are a packet's variables. A map of them would cost more than it saves.
type uwsgiVars []uwsgiVar

// get returns a variable, "" when there is none; of one that is there twice, the last, as in uWSGI.
func (v uwsgiVars) get(key string) string {
	for i := len(v) - 1; i >= 0; i-- {
		if v[i].key == key {
			return v[i].value
		}
	}
	return ""
}

// parseVars reads the variables of a packet, in order, at most limit of them.
func parseVars(packet []byte, limit int) (uwsgiVars, error) {
	vars := make(uwsgiVars, 0, min(limit, 32))
	data := string(packet) // of which the variables are parts
	next := func() (string, bool) {
		if len(data) < 2 {
			return "", false
		}
		n := 2 + int(data[0]) + int(data[1])<<8
		if len(data) < n {
			return "", false
		}
		s := data[2:n]
		data = data[n:]
		return s, true
	}
	for len(data) > 0 {
		key, ok1 := next()
		value, ok2 := next()
		if !ok1 || !ok2 {
			return nil, bad("The uwsgi packet is cut off within a variable.")
		}
		if len(vars) == limit {
			return nil, &badPacket{"431 Request Header Fields Too Large", fmt.Sprintf("The uwsgi packet has more than %d variables.", limit)}
		}
		vars = append(vars, uwsgiVar{key, value})
	}
	return vars, nil
}

// hopByHop are headers between a client and its proxy that say nothing about the request to us. The length and type of the
// body come as variables of their own.
var hopByHop = map[string]bool{
	"HTTP_CONNECTION": true, "HTTP_KEEP_ALIVE": true, "HTTP_PROXY_CONNECTION": true, "HTTP_TE": true, "HTTP_TRAILER": true,
	"HTTP_TRANSFER_ENCODING": true, "HTTP_UPGRADE": true, "HTTP_HTTP2_SETTINGS": true, "HTTP_EXPECT": true,
	"HTTP_CONTENT_LENGTH": true, "HTTP_CONTENT_TYPE": true, "HTTP_HOST": true,
}

// requestText writes the variables as an HTTP/1.0 request up to its body, for the HTTP server to read: HTTP/1.0 has neither
// chunks nor persistent connections, nor has uwsgi. Whatever could end a line or a header early is refused. It also returns
// the length of the body.
func requestText(vars uwsgiVars) (text []byte, bodyLength int64, err error) {
	size := 64
	for _, v := range vars {
		size += len(v.key) + len(v.value) + 4
		if (v.key == "CONTENT_LENGTH" || v.key == "HTTP_HOST" || v.key == "HTTP_CONTENT_LENGTH") && vars.get(v.key) != v.value {
			return nil, 0, bad("The uwsgi packet says two things about %s.", v.key)
		}
	}
	method := vars.get("REQUEST_METHOD")
	if !isToken(method) || method == "CONNECT" || method == "PRI" {
		return nil, 0, bad("The uwsgi packet has %q for REQUEST_METHOD; do the proxy's uwsgi_params lack it?", shortened(method))
	}
	uri, err := requestURI(vars)
	if err != nil {
		return nil, 0, err
	}
	length, given, err := contentLength(vars)
	if err != nil {
		return nil, 0, err
	}
	host := vars.get("HTTP_HOST")
	if host == "" {
		if host = vars.get("SERVER_NAME"); host != "" && vars.get("SERVER_PORT") != "" {
			host += ":" + vars.get("SERVER_PORT")
		}
	}
	text = make([]byte, 0, size+len(uri))
	text = append(append(append(append(text, method...), ' '), uri...), " HTTP/1.0\r\n"...)
	add := func(name, value string) error {
		if !isValue(value) {
			return bad("The uwsgi packet has a character in %s that no header has.", name)
		}
		text = append(append(append(append(text, name...), ": "...), value...), "\r\n"...)
		return nil
	}
	if err := add("Host", host); err != nil {
		return nil, 0, err
	}
	if given {
		if err := add("Content-Length", strconv.FormatInt(length, 10)); err != nil {
			return nil, 0, err
		}
	}
	contentType := vars.get("CONTENT_TYPE")
	if contentType == "" {
		contentType = vars.get("HTTP_CONTENT_TYPE")
	}
	if contentType != "" {
		if err := add("Content-Type", contentType); err != nil {
			return nil, 0, err
		}
	}
	for _, v := range vars {
		name, isHeader := strings.CutPrefix(v.key, "HTTP_")
		if !isHeader || hopByHop[v.key] {
			continue
		}
		name = strings.ReplaceAll(name, "_", "-")
		if !isToken(name) {
			return nil, 0, bad("The uwsgi packet has %q, which is no header.", v.key)
		}
		if err := add(name, v.value); err != nil {
			return nil, 0, err
		}
	}
	return append(text, "\r\n"...), length, nil
}

// requestURI is what was asked for: as the client wrote it if the proxy says so, else put together again.
func requestURI(vars uwsgiVars) (string, error) {
	uri := vars.get("REQUEST_URI")
	if uri == "" {
		uri = (&url.URL{Path: vars.get("SCRIPT_NAME") + vars.get("PATH_INFO")}).EscapedPath()
		if q := vars.get("QUERY_STRING"); q != "" {
			uri += "?" + q
		}
	} else if !strings.HasPrefix(uri, "/") && uri != "*" {
		// The absolute form: the host is in HTTP_HOST.
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", bad("The uwsgi packet has %q for REQUEST_URI, which is no path.", shortened(uri))
		}
		uri = u.RequestURI()
	}
	if uri == "" || uri[0] != '/' && uri != "*" {
		return "", bad("The uwsgi packet has no REQUEST_URI; do the proxy's uwsgi_params lack it?")
	}
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c == 0x7f {
			return "", bad("The uwsgi packet has a character in REQUEST_URI that no address has.")
		}
	}
	if _, err := url.ParseRequestURI(uri); err != nil {
		return "", bad("The uwsgi packet has %q for REQUEST_URI, which is no address.", shortened(uri))
	}
	return uri, nil
}

func shortened(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// contentLength is how many bytes the body has, and whether the proxy says so.
func contentLength(vars uwsgiVars) (n int64, given bool, err error) {
	length := vars.get("CONTENT_LENGTH")
	other := vars.get("HTTP_CONTENT_LENGTH")
	switch {
	case length == "":
		length = other
	case other != "" && other != length:
		return 0, false, bad("The uwsgi packet says two things about the length of the body.")
	}
	if length == "" {
		if te := vars.get("HTTP_TRANSFER_ENCODING"); te != "" && !strings.EqualFold(te, "identity") {
			return 0, false, &badPacket{"411 Length Required", "The uwsgi protocol needs to know the length of a body before it is sent, and the proxy does not say it."}
		}
		return 0, false, nil
	}
	size, err := strconv.ParseUint(length, 10, 62)
	if err != nil || length[0] == '+' {
		return 0, false, bad("The uwsgi packet has %q for CONTENT_LENGTH.", shortened(length))
	}
	return int64(size), true, nil
}

// isToken tells whether a string may be a method or a header's name.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// isValue tells whether a string may be a header's value.
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// beginning is what [readPacket] found.
type beginning struct {
	text   []byte // the request as HTTP, up to its body
	length int64  // of the body
	vars   uwsgiVars
	taken  int // how many bytes of the input the packet is
}

// errMore says that a packet is not complete.
var errMore = errors.New("more is needed")

// readPacket reads a packet at the beginning of what came in, or says errMore. The error is of type *badPacket when there
// is an answer to give.
func readPacket(in []byte, o UWSGIOptions) (beginning, error) {
	if len(in) == 0 {
		return beginning{}, errMore
	}
	var header [packetHeader]byte
	if n := copy(header[:], in); n < packetHeader {
		return beginning{}, errMore
	}
	size, err := packetSize(header)
	if err != nil {
		return beginning{}, err
	}
	if size > o.maxSize() {
		return beginning{}, &badPacket{"431 Request Header Fields Too Large", fmt.Sprintf("The uwsgi packet has %d bytes, and at most %d are taken.", size, o.maxSize())}
	}
	if len(in) < packetHeader+size {
		return beginning{}, errMore
	}
	vars, err := parseVars(in[packetHeader:packetHeader+size], o.maxVars())
	if err != nil {
		return beginning{}, err
	}
	text, length, err := requestText(vars)
	if err != nil {
		return beginning{}, err
	}
	return beginning{text: text, length: length, vars: vars, taken: packetHeader + size}, nil
}
