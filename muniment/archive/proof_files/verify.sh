#!/bin/sh
# Checks a muniment proof: sh verify.sh [-k VKEY] [-c FILE] [FOLDER]
#
#   FOLDER   the unpacked proof; without it, the folder that this script lies in
#   -k VKEY  the key that has to have signed, or to lead to the one that did, as its owner published it elsewhere
#   -c FILE  the root certificates that time stamps have to lead to (PEM), instead of those that came with the proof
#
# It needs a POSIX shell, GNU coreutils, xxd, and openssl 3; no network, and nothing of muniment's. Every proof holds the
# same script, and docs/format.md ("A proof") has its steps in words: whoever mistrusts this copy takes another.
# Exit code: 0 everything holds, 1 something does not, 2 it could not be checked.

set -u
LC_ALL=C
export LC_ALL
unset CDPATH OPENSSL_CONF
IFS='
'
nl='
'
cr=$(printf '\r')

bad=0 key_wanted='' roots=''
fail() { bad=$((bad + 1)); printf 'FAILED  %s\n' "$*" | printable; }
good() { printf 'ok      %s\n' "$*" | printable; }
cannot() { printf '%s\n' "verify.sh: $*" >&2; exit 2; }
printable() { tr -cd '\12\40-\176'; }

digest() {                                                               # SHA-256 of a file, in hex, from $computed
  d=${computed%%"  $1$nl"*}
  [ "$d" != "$computed" ] && printf %s "${d##*"$nl"}"
}
written() { w=$(digest "$1" | xxd -r -p | base64 | tr '+/' '-_') && printf %s "${w%=}"; }  # as a leaf writes it
hex_of() { printf %s "$1" | base64 -d > "$work/bytes" 2> /dev/null && xxd -p -c 4096 "$work/bytes"; }     # base64 -> hex
unwritten() { hex_of "$(printf "%s$2" "$1" | tr -- '-_' '+/')"; }         # a leaf's base64url, and its padding -> hex
uuid_of() {                                                              # the UUID that a leaf names by $1
  u=$(unwritten "$1" ==)
  is_hex "$u" 32 || return 1
  for part in 1-8 9-12 13-16 17-20 21-32; do u="$u-$(printf %s "$u" | cut -c $part)"; done
  printf '<urn:uuid:%s>' "${u#*-}"
}
node() { d=$(printf '01%s%s' "$1" "$2" | xxd -r -p | sha256sum) && printf %s "${d%% *}"; }
is_number() { case $1 in '' | *[!0-9]* | 0?*) return 1 ;; esac; [ ${#1} -le 18 ]; }
is_hex() { case $1 in *[!0-9a-f]*) return 1 ;; esac; [ ${#1} -eq "$2" ]; }

while getopts k:c: option; do
  case $option in
    k) key_wanted=$OPTARG ;;
    c) case $OPTARG in /*) roots=$OPTARG ;; *) roots=$PWD/$OPTARG ;; esac ;;
    *) cannot 'usage: sh verify.sh [-k VKEY] [-c FILE] [FOLDER]' ;;
  esac
done
shift $((OPTIND - 1))
[ $# -le 1 ] || cannot 'usage: sh verify.sh [-k VKEY] [-c FILE] [FOLDER]'
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
cd -- "${1:-$here}" || cannot "no folder ${1:-$here}"
for tool in sha256sum base64 tr cut xxd openssl date head tail cat sort mktemp rm; do
  command -v "$tool" > /dev/null || cannot "this needs $tool"
done
[ "$(date -u -d 1970-01-01T00:00:01Z +%s 2> /dev/null)" = 1 ] || cannot 'this needs the date of GNU coreutils'
case $(openssl pkeyutl -help 2>&1) in *-rawin*) ;; *) cannot 'this needs openssl 3, which checks Ed25519' ;; esac
case $(openssl ts -help 2>&1) in *-attime*) ;; *) cannot 'this needs openssl 3, which checks time stamps' ;; esac
[ -z "$roots" ] || [ -r "$roots" ] || cannot "cannot read $roots"
work=$(mktemp -d) || cannot 'no room for temporary files'
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
set -- keys/*
[ $# -le 201 ] || { fail 'keys: there are more than 100 key leaves'; printf '\nNOT PROVED: nothing else was looked at\n'; exit 1; }

# ---- 1. The files are those that SHA256SUMS lists, all of them and no others.

is_name() {
  case $1 in *..* | *//* | *[!A-Za-z0-9./_-]*) return 1 ;; esac
  case $1 in
    README.html | verify.sh | checkpoint | key.vkey | key.pem) ;;
    leaves/*/*/*) return 1 ;;
    leaves/*/leaf.json | leaves/*/text.txt | leaves/*/record-[1-9].warc | leaves/*/record-[1-9][0-9].warc)
      n=${1#leaves/}; is_number "${n%%/*}" ;;
    leaves/*/*.tlog-proof) n=${1#leaves/}; is_number "${n%%/*}" && [ "$n" = "${n%%/*}/${n%%/*}.tlog-proof" ] ;;
    keys/first.vkey) ;;
    keys/*.json | keys/*.tlog-proof) n=${1#keys/}; is_number "${n%%.*}" && case $n in *.*.*) return 1 ;; esac ;;
    stamps/*/*) return 1 ;;
    stamps/?*.?*.tsq | stamps/?*.?*.tsr | stamps/?*.?*.pem) ;;
    *) return 1 ;;
  esac
}

computed=$nl
for name in . leaves/* keys stamps; do
  case $name in leaves/*) [ -d "$name" ] && [ ! -L "$name" ] || continue ;; esac
  found=$(cd "$name" 2> /dev/null && sha256sum -- * 2> /dev/null)         # folders give no line
  set -f                                                                  # the lines are no patterns
  for line in $found; do
    case $name in .) file=${line#*  } ;; *) file=$name/${line#*  } ;; esac
    computed="$computed${line%%  *}  $file$nl"
  done
  set +f
done
before=$bad listed=$nl
[ -f SHA256SUMS ] && [ ! -L SHA256SUMS ] || fail 'SHA256SUMS is missing'
while IFS= read -r line || [ -n "$line" ]; do
  sum=${line%%  *} name=${line#*  }
  if ! is_hex "$sum" 64 || ! is_name "$name"; then
    fail "SHA256SUMS: not a line of it: $line"
    continue
  fi
  case $listed in *"$nl$name$nl"*) fail "SHA256SUMS: $name stands there twice" ;; esac
  listed=$listed$name$nl
  if [ ! -f "$name" ] || [ -L "$name" ]; then
    fail "$name is missing"
  elif [ "$(digest "$name")" != "$sum" ]; then
    fail "$name is not as it was: SHA256SUMS has another digest"
  fi
done < SHA256SUMS
for name in * .[!.]* ..?* keys/* keys/.[!.]* keys/..?* stamps/* stamps/.[!.]* stamps/..?* leaves/* leaves/.[!.]* \
  leaves/..?* leaves/*/* leaves/*/.[!.]* leaves/*/..?*; do
  [ -e "$name" ] || [ -L "$name" ] || continue
  case $name in
    SHA256SUMS) continue ;;
    keys | stamps | leaves) [ -d "$name" ] && [ ! -L "$name" ] && continue ;;
    leaves/*/*) ;;
    leaves/*) [ -d "$name" ] && [ ! -L "$name" ] && continue ;;
  esac
  case $listed in *"$nl$name$nl"*) ;; *) fail "$name does not belong to the proof" ;; esac
done
for name in README.html verify.sh checkpoint key.vkey key.pem; do
  case $listed in *"$nl$name$nl"*) ;; *) fail "SHA256SUMS does not list $name" ;; esac
done
[ $bad -gt $before ] || good '1. the files are those that SHA256SUMS lists'

# ---- 2. The records of each leaf have the digests that it states, in order, and none is left over.

leaf() { json=$(cat "leaves/$1/leaf.json" 2> /dev/null); }                # a leaf, for `string` and `integer`
string() { v=${json#*\"$1\":\"}; [ "$v" != "$json" ] && printf %s "${v%%\"*}"; }
integer() { v=${json#*\"$1\":}; [ "$v" != "$json" ] && printf %s "${v%%[!0-9]*}"; }

numbers='' count=0
for name in leaves/*; do
  n=${name#leaves/}
  is_number "$n" || continue
  numbers=$numbers$n$nl count=$((count + 1))
done
[ $count -gt 0 ] || fail 'there is no leaf in this proof'
before=$bad records=0
for n in $numbers; do
  leaf "$n"
  case $json in '{"at":"'*'}') ;; *) fail "leaf #$n: leaves/$n/leaf.json is no leaf"; continue ;; esac
  rest=${json#*\"records\":[\"}
  if [ "$rest" = "$json" ]; then fail "leaf #$n states no digests"; continue; fi
  rest=${rest%%\"]*} part=0
  while :; do
    part=$((part + 1)) stated=${rest%%\",\"*} file=leaves/$n/record-$part.warc
    if [ ! -f "$file" ]; then
      fail "leaf #$n: $file is missing"
    elif [ ${#stated} -lt 43 ] || [ "$(written "$file")" != "$stated" ]; then
      fail "leaf #$n: $file does not have the digest that the leaf states"
    fi
    [ "$stated" != "$rest" ] || break
    rest=${rest#*\",\"}
  done
  records=$((records + part))
  for file in "leaves/$n"/record-*; do
    k=${file##*/record-}
    is_number "${k%.warc}" && [ "${k%.warc}" -ge 1 ] && [ "${k%.warc}" -le $part ] || fail "leaf #$n: $file is in no leaf"
  done
done
[ $bad -gt $before ] || good "2. all $records records have the digests that their $count leaves state"

# ---- 3. Each leaf is in the tree of the checkpoint, which is the same in all proofs.

read_checkpoint() {                                                      # the first lines of a file that is one
  origin='' size='' root64='' blank=x
  { IFS= read -r origin; IFS= read -r size; IFS= read -r root64; IFS= read -r blank; } < "$1"
  root=$(hex_of "$root64")
  case $root64 in *[AEIMQUYcgkosw048]=) ;; *) return 1 ;; esac            # no bits that mean nothing
  is_number "$size" && is_hex "$root" 64 && [ -n "$origin" ] && [ -z "$blank" ]
}
in_tree() {              # leaf #$1, in the file $2, by the tlog-proof $3, is in the tree of $size leaves; sets its $path
  hash=$({ printf '\0'; cat "$2"; } | sha256sum) hash=${hash%% *}
  path='' place=$1 last=$((size - 1)) wrong=''
  {
    IFS= read -r line || wrong=form
    IFS= read -r line && [ "$line" = "index $1" ] || wrong=form
    while IFS= read -r line && [ -n "$line" ]; do
      path=$path$line$nl
      case $line in *[!A-Za-z0-9+/=]*) wrong=form; break ;; *[AEIMQUYcgkosw048]=) ;; *) wrong=form ;; esac
      sibling=$(hex_of "$line")
      is_hex "$sibling" 64 || wrong=form
      [ $last -gt 0 ] || wrong=long
      [ -z "$wrong" ] || break
      if [ $((place & 1)) -eq 1 ] || [ "$place" -eq $last ]; then
        hash=$(node "$sibling" "$hash")
        while [ $((place & 1)) -eq 0 ] && [ "$place" -gt 0 ]; do place=$((place >> 1)) last=$((last >> 1)); done
      else
        hash=$(node "$hash" "$sibling")
      fi
      place=$((place >> 1)) last=$((last >> 1))
    done
  } < "$3"
  [ -z "$wrong" ] && [ $last -eq 0 ] && is_hex "$root" 64 && [ "$hash" = "$root" ]
}
holds() {                                                # the tlog-proof $2 of leaf #$1 is $path and the checkpoint $3
  whole=$({ printf 'c2sp.org/tlog-proof@v1\nindex %s\n%s\n' "$1" "$path"; cat "$3"; } | sha256sum)
  [ "${whole%% *}" = "$(digest "$2")" ]
}

before=$bad
read_checkpoint checkpoint || fail 'checkpoint: not a checkpoint'
for n in $numbers; do
  proof=leaves/$n/$n.tlog-proof
  [ -f "$proof" ] && [ -f "leaves/$n/leaf.json" ] || { fail "leaf #$n: it has no proof"; continue; }
  if ! is_number "$size" || [ "$n" -ge "$size" ]; then fail "leaf #$n is not among the leaves of the checkpoint"; continue; fi
  if ! in_tree "$n" "leaves/$n/leaf.json" "$proof"; then
    fail "leaf #$n: its path does not lead to the root of the checkpoint"
  elif ! holds "$n" "$proof" checkpoint; then
    fail "leaf #$n: $proof does not hold the checkpoint of the others, or more than it should"
  fi
done
[ $bad -gt $before ] || good "3. all $count leaves are in the tree of $size leaves"

# ---- 4. The checkpoint is signed by the key, to which the key leaves, where there are any, lead from the keys before.

read_key() {                   # an Ed25519 verifier key $1 of this log: its $identity, and as SubjectPublicKeyInfo $der
  rest=${1#*+} identity=${1#*+} der=''
  identity=${identity%%+*} public=$(hex_of "${rest#*+}")
  expected=$({ printf '%s\n' "${1%%+*}"; printf %s "$public" | xxd -r -p; } | sha256sum)
  case $public in 01*) ;; *) return 1 ;; esac
  is_hex "$public" 66 && is_hex "$identity" 8 || return 1
  der=302a300506032b6570032100${public#01}
  case $expected in "$identity"*) ;; *) return 1 ;; esac
  [ "${1%%+*}" = "$origin" ]
}
only_line() {                                                            # a file's $line, which is all of it
  line=''
  IFS= read -r line < "$1"
  [ "$(printf '%s\n' "$line" | sha256sum)" = "$(sha256sum < "$1")" ]
}
signed() {           # how often the key $der of the id $identity signed the checkpoint $1: $signatures; wrongly, it fails
  signatures=0 i=0
  [ "$(tr -d '\000-\011\013-\037' < "$1" | sha256sum)" = "$(sha256sum < "$1")" ] || return 1
  head -n 3 "$1" > "$work/text"
  printf %s "$der" | xxd -r -p > "$work/key.der"
  while IFS= read -r line; do
    i=$((i + 1))
    [ $i -gt 4 ] || continue
    [ $i -le 104 ] || return 1
    by=${line#"— "} signature=$(hex_of "${line##* }") || return 1
    [ "$line" = "— ${by%% *} ${line##* }" ] && [ ${#signature} -ge 10 ] || return 1
    case ${by%% *}:$signature in :* | *+*:*) return 1 ;; "$origin:$identity"*) ;; *) continue ;; esac
    is_hex "$signature" 136 || return 1
    printf %s "${signature#????????}" | xxd -r -p > "$work/signature"
    said=$(openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/text" \
      -sigfile "$work/signature" 2>&1) || return 1
    case $said in *'Verified Successfully'*) signatures=$((signatures + 1)) ;; *) return 1 ;; esac
  done < "$1"
  [ -z "$line" ]
}

before=$bad vkey=''
only_line key.vkey || fail 'key.vkey: not one line'
vkey=$line
read_key "$vkey" || fail "key.vkey: not an Ed25519 verifier key, or not one of $origin"
[ "$(openssl pkey -pubin -in key.pem -outform DER 2> /dev/null | xxd -p -c 256)" = "$der" ] ||
  fail 'key.pem is not the key of key.vkey'
signed checkpoint || fail 'checkpoint: a signature does not hold, or is malformed'
[ $signatures -gt 0 ] || fail 'checkpoint: the key did not sign it'
fingerprint=$(sha256sum < "$work/key.der") fingerprint=${fingerprint%% *}

change() {                      # the key leaf #$1, after the key $earlier: its $key, $vouched for or not; or $why it is none
  file=keys/$1.json proof=keys/$1.tlog-proof skip=0 i=0 reason=''
  why='a key leaf and its proof do not stand there'
  [ -f "$file" ] && [ -f "$proof" ] || return 1
  json=$(cat "$file")
  case $json in '{"at":"'*'","records":[],'*'"type":"key"}') ;; *) return 1 ;; esac
  key=$(string key) key=${key%% *} since=$(integer size)
  case $json in *'","reason":"'*) reason=${json#*'","reason":"'} reason=": ${reason%'","records":[],'*}" ;; esac
  while IFS= read -r line; do
    skip=$((skip + ${#line} + 1)) i=$((i + 1))
    [ -n "$line" ] && [ $i -lt 67 ] || break
  done < "$proof"
  tail -c "+$((skip + 1))" "$proof" > "$work/note"
  why='its checkpoint is none of this log, or does not stand between the others'
  read_checkpoint "$work/note" && [ "$origin" = "$name" ] || return 1
  [ "$1" -ge $end ] && [ "$size" -le "$leaves" ] || return 1
  why='its path does not lead to the root of its checkpoint'
  [ "$1" -lt "$size" ] && in_tree "$1" "$file" "$proof" && holds "$1" "$proof" "$work/note" || return 1
  why='the key before it is no Ed25519 key of this log, or signed its checkpoint wrongly'
  read_key "$earlier" && signed "$work/note" || return 1
  by_earlier=$signatures end=$size
  [ -n "$ids" ] || ids=$nl$identity$nl
  why='the key that it names is no Ed25519 key of this log, or did not sign its checkpoint'
  read_key "$key" && signed "$work/note" && [ $signatures -gt 0 ] || return 1
  why='the key that it names was there before, or has the id of one that was'
  case $ids in *"$nl$identity$nl"*) return 1 ;; esac
  ids=$ids$identity$nl vouched=yes told="another key signs from #$1 on, with the earlier key's signature"
  if [ "$by_earlier" -eq 0 ]; then
    vouched=no told="another key signs from #$1 on, without the earlier key's signature"
  elif is_number "$since" && [ "$since" -le "$1" ]; then
    vouched=no told="$told, which counts for nothing: somebody else may have had that key since #$since"
  fi
}

count=0 ids='' end=0 keys='' earlier='' followed='' cut='' name=$origin leaves=$size
changes=$(for file in keys/*; do n=${file#keys/} n=${n%%.*}; is_number "$n" && printf '%s\n' "$n"; done | sort -nu)
for n in $changes; do count=$((count + 1)); done
if [ $count -gt 0 ] && is_number "$leaves"; then
  only_line keys/first.vkey 2> /dev/null && earlier=$line || fail 'keys/first.vkey: it is missing, or not one line'
  for n in $changes; do
    [ "$earlier" != "$key_wanted" ] || followed=', ' cut=''
    change "$n" || { fail "keys/$n.json: $why"; followed='' cut=''; break; }
    keys="$keys  $earlier$nl    $told$reason$nl" earlier=$key
    case $followed:$vouched in
      '':*) ;;
      *:yes) followed="$followed, #$n" ;;
      *) cut="$cut; $told$reason" ;;
    esac
  done
  read_checkpoint checkpoint
  [ $bad -gt $before ] || [ "$earlier" = "$vkey" ] || fail 'keys: the key leaves do not lead to the key that signed'
elif [ -e keys/first.vkey ]; then
  fail 'keys/first.vkey: no key leaf comes after it'
fi
if [ -z "$key_wanted" ] || [ "$key_wanted" = "$vkey" ]; then
  followed=''
elif [ -n "$cut" ]; then
  fail "no key that you gave leads to the one that signed: ${cut#; }"
elif [ -z "$followed" ]; then
  fail 'the proof is signed by another key than the one you gave'
else
  followed=" $vkey, which followed $key_wanted by the key leaf ${followed#, , }"
fi
[ $bad -gt $before ] || good "4. the checkpoint is signed by the key$followed"

# ---- 5. Each time stamp is over this very checkpoint, and leads to its root certificate.

# The chain is judged as of the time of the stamp, since certificates end and stamps do not.
before=$bad stamps=0 earliest='' told=''
for reply in stamps/*; do
  [ -e "$reply" ] || [ -L "$reply" ] || continue
  stem=${reply%.*}
  case $reply in
    *.tsr) ;;
    *) [ -f "$stem.tsr" ] || fail "$reply belongs to no time stamp"; continue ;;
  esac
  case $stem in "stamps/$size."?*) ;; *) fail "$reply is not over this checkpoint"; continue ;; esac
  [ -f "$stem.tsq" ] && [ -f "$stem.pem" ] || { fail "$reply: its request or its certificates are missing"; continue; }
  openssl ts -reply -in "$reply" -token_out -out "$work/token" > /dev/null 2>&1 || : > "$work/token"
  text=$nl$(openssl ts -reply -token_in -in "$work/token" -text 2> /dev/null)
  when=${text#*"${nl}Time stamp: "} tsa=${text#*"${nl}TSA: "}
  [ "$when" != "$text" ] || { fail "$reply: not a time stamp"; continue; }
  when=${when%%"$nl"*} tsa=${tsa%%"$nl"*}
  seconds=$(date -u -d "$when" +%s 2> /dev/null)
  is_number "$seconds" || { fail "$reply: not a time: $when"; continue; }
  held=yes
  for over in "-data$nl""checkpoint" "-queryfile$nl$stem.tsq"; do
    # shellcheck disable=SC2086 # two words
    said=$(openssl ts -verify $over -in "$reply" -CAfile "${roots:-$stem.pem}" -untrusted "$stem.pem" \
      -attime "$seconds" 2>&1) || held=no
    case $said in *'Verification: OK'*) ;; *) held=no ;; esac
  done
  [ $held = yes ] || { fail "$reply does not hold: ${said##*error:}"; continue; }
  # Which root it is: trusted alone, it has to hold. Others in the file have nothing to do with the stamp.
  { cat "$stem.pem"; echo; cat "${roots:-$stem.pem}"; } > "$work/others"
  certificate='' found=''
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%"$cr"}
    case $line in '-----BEGIN CERTIFICATE-----') certificate='' ;; esac
    certificate=$certificate$line$nl
    [ "$line" = '-----END CERTIFICATE-----' ] || continue
    facts=$(printf %s "$certificate" | openssl x509 -noout -subject -issuer 2> /dev/null)
    subject=${facts#subject=} issuer=${facts#*"${nl}issuer="}
    [ "${subject%%"$nl"*}" = "$issuer" ] || continue
    printf %s "$certificate" > "$work/root"
    said=$(openssl ts -verify -data checkpoint -in "$reply" -CAfile "$work/root" -untrusted "$work/others" \
      -attime "$seconds" 2>&1) || continue
    case $said in *'Verification: OK'*) ;; *) continue ;; esac
    print=$(openssl x509 -in "$work/root" -outform DER 2> /dev/null | sha256sum)
    case $found in *"${print%% *}"*) continue ;; esac
    found="$found    root ${print%% *}  $issuer$nl"
  done < "${roots:-$stem.pem}"
  [ -n "$found" ] || { fail "$reply: no root certificate alone bears it out"; continue; }
  [ "$tsa" != unspecified ] || tsa='an authority below this root:'
  stamps=$((stamps + 1))
  [ -n "$earliest" ] && [ "$earliest" -le "$seconds" ] || earliest=$seconds
  told="$told  $(date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%SZ)  $tsa$nl"
  told="$told$found"
done
case $stamps in
  0) [ $bad -gt $before ] || printf 'none    5. there is no time stamp: only the holder of the key says when\n' ;;
  *) [ $bad -gt $before ] || good "5. time stamps over the checkpoint: $stamps" ;;
esac

# ---- 6. The records say what the leaf says, lead to one another, and are no later than the time stamp.

skew=60                     # seconds that two clocks may differ
head_of() {                 # reads a record's head: size, and the first value of these fields
  head=0 body='' warc_id='' warc_date='' refers='' warc_type='' media='' target='' stated=''
  while IFS= read -r line; do
    head=$((head + ${#line} + 1)) line=${line%"$cr"}
    [ -n "$line" ] || return 0
    case $line in
      'Content-Length: '*) body=${body:-${line#*: }} ;;
      'WARC-Record-ID: '*) warc_id=${warc_id:-${line#*: }} ;;
      'WARC-Date: '*) warc_date=${warc_date:-${line#*: }} ;;
      'WARC-Refers-To: '*) refers=${refers:-${line#*: }} ;;
      'WARC-Type: '*) warc_type=${warc_type:-${line#*: }} ;;
      'WARC-Target-URI: '*) target=${target:-${line#*: }} ;;
      'WARC-Payload-Digest: '*) stated=${stated:-${line#*: }} ;;
      'Content-Type: '*) media=${media:-${line#*: }} ;;
    esac
  done < "$1"
  return 1
}

before=$bad shown=''
for n in $numbers; do
  leaf "$n"
  type=$(string type) at=$(string captured) id=$(string id) uri=$(string uri) payload=$(string payload) of=$(integer of)
  imported=$at at=${at:-$(string at)}
  for file in "leaves/$n"/record-*; do
    head_of "$file" || { fail "$file is no WARC record"; continue; }
    case $warc_date in
      [12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]*Z) ;;
      *) fail "$file has no date"; continue ;;
    esac
    seconds=$(date -u -d "${warc_date%%[.Z]*}Z" +%s 2> /dev/null)
    is_number "$seconds" || { fail "$file has no date"; continue; }
    [ -z "$earliest" ] || [ "$seconds" -le $((earliest + skew)) ] ||
      fail "$file says that it is of $warc_date, which is after the time stamp over it"
  done
  head_of "leaves/$n/record-1.warc" 2> /dev/null || continue
  [ -n "$id" ] && [ "$warc_id" = "$(uuid_of "$id")" ] || fail "leaf #$n: its first record has another id"
  [ -n "$at" ] && [ "$warc_date" = "$at" ] || fail "leaf #$n: its first record has another date"
  case $type:$warc_type in
    segment:warcinfo | capture:response | capture:resource | revisit:revisit | attempt:response | attempt:metadata) ;;
    record:?*) ;;
    derivation:conversion | tag:metadata | note:metadata | source:metadata | collection:metadata | withdrawal:metadata) ;;
    *) fail "leaf #$n says type $type, and its record $warc_type" ;;
  esac
  is_number "$body" || body=0
  case $type in
    capture | revisit | attempt)
      [ "$target" = "$uri" ] || fail "leaf #$n says uri $uri, and its record $target"
      said='' code=$(integer status)
      case $warc_type:$media in
        resource:* | metadata:*) ;;
        *:application/http*)
          [ "$body" -eq 0 ] || said=$(tail -c "+$((head + 1))" "leaves/$n/record-1.warc" | head -c 12 | tr -cd '!-~ ')
          case $said in HTTP/[0-9].[0-9]\ [0-9][0-9][0-9]) said=$(printf %s "$said" | cut -c 10-12) ;; *) said='' ;; esac ;;
      esac
      [ "$said" = "$code" ] || fail "leaf #$n says status $code, and its record $said"
      sum=$(unwritten "$payload" =)
      # An imported record may state the digest of another kind, which is not compared.
      [ -z "$imported" ] || { is_hex "${stated#sha256:}" 64 && [ "$stated" != "${stated#sha256:}" ]; } || stated=''
      [ -z "$stated" ] || [ "$type" = attempt ] || [ "$stated" = "sha256:$sum" ] ||
        fail "leaf #$n says payload sha256:$sum, and its record $stated"
      if [ "$warc_type" = resource ]; then
        block=$(tail -c "+$((head + 1))" "leaves/$n/record-1.warc" | head -c "$body" | sha256sum)
        [ "${block%% *}" = "$sum" ] || fail "leaf #$n: its record does not hold the payload that it states"
      fi ;;
  esac
  case $type in
    revisit | derivation)
      if ! is_number "$of" || [ ! -f "leaves/$of/leaf.json" ]; then
        fail "leaf #$n is about leaf #$of, which is not in this proof"
        continue
      fi
      leaf "$of"
      [ "$refers" = "$(uuid_of "$(string id)")" ] || fail "leaf #$n: its record does not refer to that of leaf #$of"
      [ "$type" = derivation ] || [ "$payload" = "$(string payload)" ] || fail "leaf #$n: not the payload of leaf #$of"
      ;;
  esac
  if [ "$type" = derivation ]; then
    block=$(tail -c "+$((head + 1))" "leaves/$n/record-1.warc" | head -c "$body" | sha256sum)
    [ -f "leaves/$n/text.txt" ] && [ "${block%% *}" = "$(digest "leaves/$n/text.txt")" ] ||
      fail "leaves/$n/text.txt is not the text of its record"
  else
    [ ! -e "leaves/$n/text.txt" ] || fail "leaves/$n/text.txt belongs to no cleaned text"
  fi
  case $type in
    capture | revisit | attempt)
      shown="$shown  #$n  $type  $warc_date  $uri$nl"
      [ -z "$imported" ] || shown="$shown      imported at $(string at): the date before is the imported record's own$nl" ;;
  esac
  [ -z "$payload" ] || shown="$shown      payload SHA-256 $(unwritten "$payload" =)$nl"
done
[ $bad -gt $before ] || good '6. the records say what their leaves say'

# ---- What came of it.

printf '\nIn this proof:\n%s\nThe log\n  %s, %s leaves, root %s\nis vouched for by the holder of the key\n  %s\n  SHA-256 %s\n' \
  "$shown" "$origin" "$size" "$root64" "$vkey" "$fingerprint" | printable
if [ $stamps -gt 0 ]; then
  printf 'and existed, with all that is shown here, at the time that these authorities vouch for:\n%s' "$told" | printable
  [ -n "$roots" ] || printf 'The root certificates came with the proof: compare their digests with those that the authorities publish.\n'
else
  printf 'No time stamp: when it existed rests on the word of the holder of the key.\n'
fi
[ -z "$keys" ] || printf 'Earlier keys, as the proof tells:\n%s' "$keys" | printable
[ -n "$key_wanted" ] || printf 'Compare the key with the one that the archive published elsewhere.\n'
if [ $bad -gt 0 ]; then
  printf '\nNOT PROVED: failures: %s\n' "$bad"
  exit 1
fi
printf '\nPROVED: the records are what was logged, and the log is what was signed.\n'
