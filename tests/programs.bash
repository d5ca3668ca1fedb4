# programs.bash: for scripts that test the programs: counting, and a server of
# the script's own.  To be sourced in the top directory of the source.
#
# It makes an empty directory, work, and goes there; and sees to it that in the
# end no server is left, and no file.

build=$(realpath "${BUILD:-build}")
server=$build/bin/server
client=$build/bin/client
for name in $(env | sed -n 's/^\(KV_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
unset JOURNAL_STREAM
work=$(mktemp -d)
pid=
passed=0
failed=0

tidy_up() {
    if [[ -n $pid ]]; then
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    fi
    rm -rf "$work"
}
trap tidy_up EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1

# result STATUS TEXT [DETAIL]: counts one test.
result() {
    if [[ $1 -eq 0 ]]; then
        passed=$((passed + 1))
        echo "ok: $2"
    else
        failed=$((failed + 1))
        echo "failed: $2${3:+: $3}"
    fi
}

# expect TEXT STATUS PATTERN COMMAND...: that status, and PATTERN in what is
# printed, which is in the file out; with an empty PATTERN, nothing.
expect() {
    local text=$1 wanted=$2 pattern=$3 status
    shift 3
    timeout 60 "$@" >out 2>&1 </dev/null
    status=$?
    if [[ -n $pattern ]]; then
        [[ $status -eq $wanted ]] && grep -q -- "$pattern" out
    else
        [[ $status -eq $wanted && ! -s out ]]
    fi
    result $? "$text" "status $status: $(head -c 2000 out)"
}

# start [NAME=VALUE]... [FLAG...]: a server on a port that the kernel chooses;
# sets pid, and from the line that it is ready, KV_PORT, which clients take.
# Fails, with what it said in the file lines, if it ends before that.
start() {
    local line variables=()
    while [[ $# -gt 0 && $1 != -* ]]; do
        variables+=("$1")
        shift
    done
    unset KV_PORT
    rm -f pipe lines
    mkfifo pipe || return 1
    env "${variables[@]}" KV_PORT=0 "$server" "$@" 2>pipe &
    pid=$!
    exec 9<pipe
    while IFS= read -r -t 60 -u 9 line; do
        echo "$line" >>lines
        if [[ $line =~ ready:\ [^\ ]*:([0-9]+),\ data ]]; then
            export KV_PORT=${BASH_REMATCH[1]}
            return 0
        fi
    done
    wait "$pid"
    status=$?
    pid=
    exec 9<&-
    return 1
}

# stop SIGNAL: sends it, waits; sets status.  What the server said comes into
# the file lines.
stop() {
    kill "-$1" "$pid"
    cat <&9 >>lines
    wait "$pid"
    status=$?
    pid=
    exec 9<&-
} 2>/dev/null # bash tells there who was killed

# fill PREFIX KEYS: puts that many, and goes on putting them for a second.
fill() {
    "$client" bench --seconds 1 --warmup 0 --reads 0 --connections 4 \
        --depth 32 --fill --keep --prefix "$1" --keys "$2" >/dev/null 2>&1
}

# redis COMMAND...: to the server, by the Redis protocol: its replies, line by
# line.
redis() {
    exec 6<>"/dev/tcp/127.0.0.1/$KV_PORT"
    printf '%s\r\n' "$@" QUIT >&6
    timeout 20 tr -d '\r' <&6
    exec 6>&-
}

finish() {
    echo "$passed passed, $failed failed"
    [[ $failed -eq 0 ]]
}
