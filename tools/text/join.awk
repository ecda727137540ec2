# Joins two tables on a column each: the file named by SECOND is held in memory, the first comes on standard input and decides the
# order. UNMATCHED=yes also prints lines of the first that have no partner.
function key(line, column,    field) {
    return split(line, field, "\t") >= column ? field[column] : ""
}
BEGIN {
    first = ENVIRON["FIRST_COLUMN"] + 0
    second = ENVIRON["SECOND_COLUMN"] + 0
    while ((got = (getline line < ENVIRON["SECOND"])) > 0) {
        if (line == "" || line ~ /^#/) continue
        k = key(line, second)
        partner[k, ++partners[k]] = line
    }
    if (got < 0) {
        print "Join: the second dataset cannot be read" > "/dev/stderr"
        exit 1
    }
}
/^#/ || $0 == "" { next }
{
    k = key($0, first)
    if (k in partners) {
        for (i = 1; i <= partners[k]; i++) print $0 "\t" partner[k, i]
    } else if (ENVIRON["UNMATCHED"] == "yes") {
        print
    }
}
