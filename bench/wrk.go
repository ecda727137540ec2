package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// datasets is the number of datasets of the large history.
const datasets = 10_000

// site is what the requests are about.
type site struct {
	user, admin string // API keys
	history     string // the encoded id of the large history
}

// populate makes two people, one of them an administrator, and a large history.
func (b *bench) populate(ctx context.Context) (s site, err error) {
	if s.user, err = b.newUser(ctx, "reader@example.org"); err != nil {
		return s, err
	}
	if s.admin, err = b.newUser(ctx, adminEmail); err != nil {
		return s, err
	}
	var history struct {
		ID string `json:"id"`
	}
	if err := b.call(ctx, "POST", "/api/histories", s.user, map[string]string{"name": "large"}, &history); err != nil {
		return s, err
	}
	s.history = history.ID
	conn, err := pgx.Connect(ctx, b.postgres.url())
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, statement := range []string{
		fmt.Sprintf(`WITH owner AS (SELECT h.id FROM history h JOIN galaxy_user u ON u.id = h.user_id WHERE u.email = 'reader@example.org'
				ORDER BY h.id DESC LIMIT 1),
			bytes AS (INSERT INTO dataset (create_time, update_time, state, deleted, purged, purgable, file_size, total_size, uuid)
				SELECT now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', 'ok', false, false, true, 1000 + n, 1000 + n, replace(gen_random_uuid()::text, '-', '')
				FROM generate_series(1, %d) n RETURNING id),
			numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS hid FROM bytes)
			INSERT INTO history_dataset_association (history_id, dataset_id, create_time, update_time, name, info, blurb, peek, extension,
				metadata, metadata_deferred, deleted, visible, version, hid, purged, validated_state)
			SELECT owner.id, numbered.id, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC', 'dataset ' || hid, '', '100 lines', 'a line', 'txt',
				'{"dbkey": ["?"], "data_lines": 100}', false, false, true, 1, hid, false, 'unknown' FROM owner, numbered`, datasets),
		fmt.Sprintf(`UPDATE history SET hid_counter = %d WHERE id = (SELECT max(history_id) FROM history_dataset_association WHERE hid = %d)`,
			datasets+1, datasets),
		"ANALYZE",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return s, fmt.Errorf("making a large history: %w", err)
		}
	}
	return s, nil
}

func (b *bench) newUser(ctx context.Context, email string) (key string, err error) {
	var user struct {
		ID string `json:"id"`
	}
	name, _, _ := strings.Cut(email, "@")
	request := map[string]string{"username": "bench-" + name, "email": email, "password": "a long enough one"}
	if err := b.call(ctx, "POST", "/api/users", adminKey, request, &user); err != nil {
		return "", err
	}
	return key, b.call(ctx, "POST", "/api/users/"+user.ID+"/api_key", adminKey, nil, &key)
}

func (b *bench) call(ctx context.Context, method, path, key string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, b.server.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("x-api-key", key)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err = io.ReadAll(io.LimitReader(got.Body, 1<<20))
	if err != nil {
		return err
	}
	if got.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, got.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

func (b *bench) measureRequests(ctx context.Context, s site) error {
	gzip := "Accept-Encoding: gzip"
	for _, w := range []struct {
		figure, path string
		headers      []string
	}{
		{figureVersion, "/api/version", nil},
		{figureTools, "/api/tools", []string{"x-api-key: " + s.user}},
		{figureToolsGzip, "/api/tools", []string{"x-api-key: " + s.user, gzip}},
		{figureContents, "/api/histories/" + s.history + "/contents?v=dev&limit=100", []string{"x-api-key: " + s.user}},
	} {
		rate, err := b.wrk(ctx, b.server.url+w.path, "", w.headers...)
		if err != nil {
			return err
		}
		b.note(w.figure, rate)
	}
	for figure, headers := range map[string][]string{figureToolsReload: nil, figureToolsReloadGzip: {gzip}} {
		rate, reloads, err := b.whileReloading(ctx, s, headers)
		if err != nil {
			return err
		}
		b.note(figure, rate)
		b.note(figureReloads, reloads)
	}
	return nil
}

// rights sends every third request as a visitor, as a user and as an administrator.
const rights = `local requests, n = {}, 0
init = function()
	for i, key in ipairs({"", %q, %q}) do
		wrk.headers["x-api-key"] = key ~= "" and key or nil
		requests[i] = wrk.format("GET")
	end
end
request = function()
	n = n %% 3 + 1
	return requests[n]
end
`

// reloadEvery is how often the toolbox changes while requests are measured.
const reloadEvery = time.Second

// whileReloading measures GET /api/tools while an administrator changes the toolbox and has it read again, over and over.
// It also tells how often that happened in one second.
func (b *bench) whileReloading(ctx context.Context, s site, headers []string) (rate, reloads float64, err error) {
	script := filepath.Join(b.dir, "rights.lua")
	if err := os.WriteFile(script, fmt.Appendf(nil, rights, s.user, s.admin), 0o644); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var count atomic.Int64
	failed := make(chan error, 1)
	go func() {
		tick := time.NewTicker(reloadEvery)
		defer tick.Stop()
		for ; ctx.Err() == nil; <-tick.C {
			now := time.Now()
			err := os.Chtimes(b.toolConf(), now, now)
			if err == nil {
				err = b.call(ctx, "PUT", "/api/configuration/toolbox", s.admin, nil, nil)
			}
			if err != nil {
				if ctx.Err() == nil {
					failed <- err
				}
				break
			}
			count.Add(1)
		}
		close(failed)
	}()
	rate, err = b.wrk(ctx, b.server.url+"/api/tools", script, headers...)
	reloads = float64(count.Load()) / float64(b.seconds)
	cancel()
	return rate, reloads, errors.Join(err, <-failed)
}

// wrk tells how many requests per second were answered to 16 connections of one thread.
func (b *bench) wrk(ctx context.Context, url, script string, headers ...string) (float64, error) {
	args := []string{"-t1", "-c16", fmt.Sprintf("-d%ds", b.seconds)}
	if script != "" {
		args = append(args, "-s", script)
	}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	rate, err := parseWrk(string(out))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", url, err)
	}
	return rate, nil
}

var wrkRate = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)$`)

// parseWrk reads wrk's report. Failed requests are an error: an answer that is none is quick.
func parseWrk(report string) (float64, error) {
	for _, bad := range []string{"Non-2xx or 3xx responses:", "Socket errors:"} {
		if _, rest, found := strings.Cut(report, bad); found {
			what, _, _ := strings.Cut(rest, "\n")
			return 0, fmt.Errorf("wrk: %s %s", bad, strings.TrimSpace(what))
		}
	}
	m := wrkRate.FindStringSubmatch(report)
	if m == nil {
		return 0, fmt.Errorf("wrk printed no rate:\n%s", report)
	}
	return strconv.ParseFloat(m[1], 64)
}
