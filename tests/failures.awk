# failures.awk: what a log tells of failures, for the end of a longer output:
# LC_ALL=C awk -f tests/failures.awk LOG.
#
# A log has sections that end with "N passed, N failed": a suite's, a row's.
# What went well says no more.  Of the rest the lines that name a failure are
# printed, and the first ones of those beside them, which tell how it was, such
# as what valgrind reports; how many more there are is said in the end.
BEGIN {
    MOST["name"] = 20
    MOST["detail"] = 10
    WIDTH = 240
}

function drop()
{
    held = over = now["name"] = now["detail"] = 0
}

function tell(   i)
{
    if (seed != "" && held > 0) {
        print seed
        seed = ""
    }
    for (i = 1; i <= held; i++) {
        print lines[i]
    }
    told["name"] += now["name"]
    told["detail"] += now["detail"]
    left += over
    drop()
}

{
    sub(/^ +/, "")
    last = substr($0, 1, WIDTH)
}

/[0-9]+ passed, 0 failed/ { drop(); next }
/[0-9]+ passed, [0-9]+ failed/ { tell(); next }
/^seed [0-9]+$/ { seed = $0; next }
/^$|^ok: |^figure: |^left out: |^\| |^== report: |^(AR|CC|LD) / { next }
/^== / { tell(); seed = "" } # a row

{
    kind = /^== |^[^ ]+:[0-9]+:|^[a-z0-9_]+\.[a-z0-9_]+: |failed|\*\*\*/ ? \
        "name" : "detail"
    if (told[kind] + now[kind] < MOST[kind]) {
        lines[++held] = last
        now[kind]++
    } else {
        over++
    }
}

END {
    tell()
    if (told["name"] + told["detail"] == 0) {
        print "it does not say what; its last line: " last
    } else if (left > 0) {
        print "and " left " lines more in its log"
    }
}
