# Prints columns of its standard input, joined by tabs. The environment says which: COLUMN_LIST is "c1,c3-c5", DELIMITER one
# of the letters of the tool. Values come through the environment because awk's -v would interpret backslashes.
function wanted(item,    ends, from, to, i) {
    sub(/^c/, "", item)
    if (item ~ /^[0-9]+$/) {
        column[++columns] = item + 0
    } else if (item ~ /^[0-9]+-c?[0-9]+$/) {
        split(item, ends, "-")
        sub(/^c/, "", ends[2])
        from = ends[1] + 0
        to = ends[2] + 0
        if (to - from > 100000) refuse("the range " item " is too long")
        for (i = from; i <= to; i++) column[++columns] = i
    } else {
        refuse("\"" item "\" is no column; write c1 for the first, c1,c3 for two and c2-c4 for a range")
    }
}
function refuse(message) {
    print "Cut: " message > "/dev/stderr"
    failed = 1
    exit 1
}
BEGIN {
    list = tolower(ENVIRON["COLUMN_LIST"])
    gsub(/[ \t]/, "", list)
    n = split(list, items, ",")
    for (k = 1; k <= n; k++) if (items[k] != "") wanted(items[k])
    if (columns == 0) refuse("no column is named; write c1,c2 for the first two")
    for (k = 1; k <= columns; k++) if (column[k] < 1) refuse("columns are counted from 1")
    delimiter["T"] = "\t"; delimiter["Sp"] = "[ \t]+"; delimiter["Dt"] = "[.]"; delimiter["C"] = ","
    delimiter["D"] = "-"; delimiter["U"] = "_"; delimiter["P"] = "[|]"
    separator = delimiter[ENVIRON["DELIMITER"]]
}
/^#/ { next }
{
    found = split($0, field, separator)
    line = ""
    for (k = 1; k <= columns; k++) {
        value = (column[k] <= found) ? field[column[k]] : "."
        line = (k == 1) ? value : line "\t" value
    }
    print line
}
