# Prints LINES_WANTED lines of its standard input, each set of lines as likely as any other, in the order in which they stand
# there. LINES_TOTAL is how many there are. The generator is the «minimal standard» one (multiplier 16807 modulo 2^31 - 1),
# whose steps are exact in awk's numbers, so that a seed gives the same lines everywhere.
function random() {
    state = (state * 16807) % 2147483647
    return state / 2147483647
}
BEGIN {
    letters = ""
    for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
    seed = ENVIRON["SEED_TEXT"]
    state = 19650218
    for (i = 1; i <= length(seed); i++) state = (state * 31 + code[substr(seed, i, 1)] + 7) % 2147483647
    if (state == 0) state = 1
    for (i = 0; i < 10; i++) random()
    need = ENVIRON["LINES_WANTED"] + 0
    left = ENVIRON["LINES_TOTAL"] + 0
    if (need > left) {
        print "Select random lines: " need " lines are asked for, the dataset has " left > "/dev/stderr"
        exit 1
    }
}
{
    if (need > 0 && random() * left < need) {
        print
        need--
    }
    left--
}
