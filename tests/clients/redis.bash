# redis.bash: a redis-server of the script's own, for scripts that have sourced
# programs.bash.

redis_pid=
redis_port=

stop_redis() {
    [[ -n $redis_pid ]] || return 0
    kill -9 "$redis_pid"
    wait "$redis_pid"
    redis_pid=
} 2>/dev/null # bash tells there who was killed

# start_redis [OPTION]...: sets redis_pid and redis_port, once it takes
# connections.  It cannot be told to let the kernel choose its port: a port that
# was free a moment ago, and if another has taken it since, the next one.
start_redis() {
    local line
    mkdir -p redis
    for _ in {1..10}; do
        redis_port=$(python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1])')
        rm -f redis.pipe redis.lines
        mkfifo redis.pipe || return 1
        redis-server --port "$redis_port" --bind 127.0.0.1 --dir redis \
            --save '' "$@" >redis.pipe &
        redis_pid=$!
        exec 7<redis.pipe
        while IFS= read -r -t 60 -u 7 line; do
            echo "$line" >>redis.lines
            if [[ $line == *"Ready to accept connections"* ]]; then
                # It has no more to say than fits into the pipe.
                return 0
            fi
        done
        exec 7<&-
        stop_redis
        grep -q "Address already in use" redis.lines || break
    done
    cat redis.lines >&2
    return 1
}
