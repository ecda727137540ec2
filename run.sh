#!/bin/sh
# Starts and stops the server as Galaxy's run.sh does:
#
#   sh run.sh                     in the foreground; Ctrl-C stops it
#   sh run.sh --daemon            in the background (also: --start-daemon, start)
#   sh run.sh --stop-daemon       stops it (also: stop)
#   sh run.sh --restart           stops and starts it (also: restart)
#   sh run.sh --status            shows its processes; the exit status is 3 when it does not run (also: status)
#
#   --log-file FILE, --pid-file FILE   instead of galaxy.log and galaxy.pid in this folder
#   --wait                        with --daemon: return when it serves, which is what --daemon does anyway
#   --as-root                     run as root all the same (or ORRERY_RUN_AS_ROOT=1)
#   -c FILE                       the configuration
#
# Options for setting Galaxy's Python up are accepted; there is nothing to set up. What follows -- is given to orrery.

cd "$(dirname "$0")" || exit 1
root=$(pwd)

: "${GALAXY_LOCAL_ENV_FILE:=./config/local_env.sh}"
if [ -f "$GALAXY_LOCAL_ENV_FILE" ]; then
    . "$GALAXY_LOCAL_ENV_FILE"
fi

pid_file=${GALAXY_PID:-galaxy.pid}
log_file=${GALAXY_LOG:-galaxy.log}
as_root=${ORRERY_RUN_AS_ROOT:-}
config=${GALAXY_CONFIG_FILE:-}
action=foreground

fail() {
    echo "run.sh: $1" >&2
    exit "${2:-1}"
}

value() {
    [ "$#" -ge 2 ] || fail "$1 needs a value" 2
}

while [ "$#" -gt 0 ]; do
    case "$1" in
        --daemon|--start-daemon|start) action=start ;;
        --stop-daemon|stop) action=stop ;;
        --restart|restart) action=restart ;;
        --reload|--graceful|reload|graceful) action=graceful ;;
        --status|status) action=status ;;
        --log-file) value "$@"; log_file=$2; shift ;;
        --log-file=*) log_file=${1#*=} ;;
        --pid-file) value "$@"; pid_file=$2; shift ;;
        --pid-file=*) pid_file=${1#*=} ;;
        -c|--config|--config-file) value "$@"; config=$2; shift ;;
        --config=*|--config-file=*) config=${1#*=} ;;
        --wait) ;;
        --as-root) as_root=1 ;;
        --skip-*|--no-create-venv|--dev-wheels|--replace-pip|--no-replace-pip|--skip-eggs|--stop-other) ;;
        -h|--help) sed -n '2,/^$/s/^# \{0,1\}//p' run.sh; exit 0 ;;
        --) shift; break ;;
        "") ;;
        *) fail "there is no option $1; sh run.sh --help lists them" 2 ;;
    esac
    shift
done

# Galaxy's own advice: as root only what was written to drop it, such as a uwsgi section with uid.
if [ "$(id -u)" = 0 ] && [ -z "$as_root" ] && { [ "$action" = foreground ] || [ "$action" = start ] || [ "$action" = restart ]; }; then
    fail "do not run this as root: jobs and tools would be root's. Run it as the user that Galaxy's files belong to; for ports below 1024 start bin/orrery itself with a user in its configuration (gravity: galaxy_user, uwsgi: uid). --as-root or ORRERY_RUN_AS_ROOT=1 does it all the same."
fi

find_orrery() {
    for orrery in "${ORRERY:-}" "$root/bin/orrery" "$root/orrery"; do
        [ -n "$orrery" ] && [ -x "$orrery" ] && return 0
    done
    if [ -f "$root/go.mod" ] && [ -d "$root/cmd/orrery" ] && command -v go >/dev/null; then
        echo "Building bin/orrery (once) ..."
        CGO_ENABLED=0 go build -buildvcs=false -o bin/orrery ./cmd/orrery || fail "it does not build"
        orrery=$root/bin/orrery
        return 0
    fi
    orrery=$(command -v orrery) && return 0
    fail "the program orrery is neither in $root/bin nor on the PATH. Copy a released orrery to bin/orrery, or install Go (https://go.dev/doc/install) and run: make build"
}
find_orrery

if [ -n "$config" ]; then
    set -- -c "$config" "$@"
fi

case "$action" in
    start|restart) exec "$orrery" "$action" --pid-file "$pid_file" --log-file "$log_file" "$@" ;;
    stop) exec "$orrery" stop --pid-file "$pid_file" "$@" ;;
    graceful|status) exec "$orrery" "$action" "$@" ;;
    foreground) exec "$orrery" galaxy "$@" ;;
esac
