# Debian package records (apt-cache dumpavail) to PostgreSQL's COPY text format, one line a package:
# name, version, architecture, section, maintainer, installed size (KiB), dependencies, description.
# A field that a record lacks is NULL.  The first record of a (name, version, architecture) counts.

function quoted(text) {
    if (text == "") return "\\N"
    gsub(/\\/, "&&", text)
    gsub(/\t/, "\\t", text)
    return text
}

function finish_record(    key) {
    key = field["Package"] "\t" field["Version"] "\t" field["Architecture"]
    if (field["Package"] != "" && field["Version"] != "" && field["Architecture"] != "" && !(key in seen)) {
        seen[key] = 1
        print key "\t" quoted(field["Section"]) "\t" quoted(field["Maintainer"]) "\t" \
            quoted(field["Installed-Size"]) "\t" quoted(field["Depends"]) "\t" quoted(field["Description"])
    }
    split("", field)
}

/^$/ { finish_record(); next }
/^[ \t]/ { next } # the rest of a field of several lines: the first line is enough here
{
    colon = index($0, ":")
    value = substr($0, colon + 1)
    sub(/^[ \t]+/, "", value)
    field[substr($0, 1, colon - 1)] = value
}
END { finish_record() }
