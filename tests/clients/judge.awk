# judge.awk: the replies that a client printed, one a line, beside what the
# table `commands` expects: awk -v client=NAME -f judge.awk commands REPLIES
#
# It prints one line a command, and fails if a reply is wrong or missing.

# The elements of "a","b" in one order; elements hold no comma.
function sorted(list,   count, element, i, j, swap, text) {
    count = split(list, element, ",")
    for (i = 2; i <= count; i++) {
        for (j = i; j > 1 && element[j] < element[j - 1]; j--) {
            swap = element[j]
            element[j] = element[j - 1]
            element[j - 1] = swap
        }
    }
    text = ""
    for (i = 1; i <= count; i++) {
        text = text (i > 1 ? "," : "") element[i]
    }
    return text
}

# The array that stands innermost and last, in one order.
function in_order(reply,   from, to, before) {
    match(reply, /[\[{][^\[{]*$/)
    from = RSTART
    match(reply, /[\]}]+$/)
    to = RSTART
    before = substr(reply, 1, from - 1)
    return before "{" sorted(substr(reply, from + 1, to - from - 1)) "}" \
        substr(reply, to + 1)
}

# Of the errors inside of an array, the first word.
function short_errors(reply,   text, word) {
    text = ""
    while (match(reply, /error:"[A-Z]+ [^"]*"/)) {
        text = text substr(reply, 1, RSTART - 1)
        word = substr(reply, RSTART, RLENGTH)
        sub(/ .*/, "\"", word)
        text = text word
        reply = substr(reply, RSTART + RLENGTH)
        sub(/^"/, "", reply)
    }
    return text reply
}

function fits(reply, wanted,   bound, begin) {
    if (wanted ~ /^! /) {
        begin = "error:\"" substr(wanted, 3)
        return substr(reply, 1, length(begin)) == begin
    }
    if (wanted ~ /^~ /) {
        return reply ~ ("^(" substr(wanted, 3) ")$")
    }
    if (wanted ~ /^[0-9]+\.\.[0-9]+$/) {
        split(wanted, bound, /\.\./)
        return reply ~ /^[0-9]+$/ && reply + 0 >= bound[1] + 0 && \
            reply + 0 <= bound[2] + 0
    }
    if (wanted ~ /{.*}/) {
        return reply ~ /^\[.*\]$/ && in_order(reply) == in_order(wanted)
    }
    return reply == wanted || short_errors(reply) == wanted
}

FNR == NR {
    if (/ => / && !/^#/) {
        count++
        cut = index($0, " => ")
        command[count] = substr($0, 1, cut - 1)
        expected[count] = substr($0, cut + 4)
    }
    next
}

{
    replies++
    if (fits($0, expected[replies])) {
        print "ok: " client ": " command[replies]
    } else {
        print "failed: " client ": " command[replies] ": expected " \
            expected[replies] ", got " $0
        bad = 1
    }
}

END {
    if (replies != count || count == 0) {
        print "failed: " client ": " replies + 0 " replies to " count + 0 \
            " commands"
        bad = 1
    }
    exit bad
}
