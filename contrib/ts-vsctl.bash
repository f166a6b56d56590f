# Completion of ts-vsctl's command lines for bash. Source it, or install it as
# /usr/share/bash-completion/completions/ts-vsctl.
#
# What there is to complete comes from the program: `--commands` gives a line a command, `[--option] ,name,!ARGUMENT ?ARGUMENT *ARGUMENT`
# (required, optional, any number; `+` one or more), and `--options` the global options. Names of bridges, ports, tables, rows and columns
# are asked of the database, for a second at most.

_ts_vsctl_ask() {
  ts-vsctl "${_ts_vsctl_db[@]}" --timeout=1 "$@" 2>/dev/null
}

# Names of tables: --help ends with a line for each.
_ts_vsctl_tables() {
  ts-vsctl --help | sed -n '/^Rows are named:/,$s/^  \([A-Za-z_]*\): .*/\1/p'
}

# Columns of a table, also of one without rows.
_ts_vsctl_columns() {
  _ts_vsctl_ask --format=csv list "$1" | head -n 1 | tr ',' '\n' | grep -v '^_uuid$'
}

# What an argument of this kind may be; the words of the command so far stand in `call`.
_ts_vsctl_values() {
  local bridge
  case $1 in
    BRIDGE | PARENT) _ts_vsctl_ask list-br ;;
    PORT | PORT\|IFACE | BOND)
      for bridge in $(_ts_vsctl_ask list-br); do _ts_vsctl_ask list-ports "$bridge"; done
      ;;&
    IFACE | PORT\|IFACE)
      for bridge in $(_ts_vsctl_ask list-br); do _ts_vsctl_ask list-ifaces "$bridge"; done
      ;;
    NEW-PORT) ls /sys/class/net 2>/dev/null ;;
    MODE) printf '%s\n' standalone secure ;;
    TABLE) _ts_vsctl_tables ;;
    RECORD)
      case ${call[1],,} in
        open*) echo . ;;
        *) _ts_vsctl_ask --bare --columns=name list "${call[1]}" || _ts_vsctl_ask --bare --columns=_uuid list "${call[1]}" ;;
      esac
      ;;
    COLUMN | COLUMN\?:KEY) _ts_vsctl_columns "${call[1]}" ;;
    COLUMN\?:KEY=VALUE)
      case ${call[0]} in
        add-port | add-bond) _ts_vsctl_columns Port ;;
        *) _ts_vsctl_columns "${call[1]}" ;;
      esac | sed 's/$/=/'
      ;;
    PRIVATE-KEY | CERTIFICATE | CA-CERT) compgen -f -- "$word" ;;
  esac
}

# The kind of the argument behind the words in `call`: repeated ones take all that is left.
_ts_vsctl_kind() {
  local line=$1 kind position=0
  local -a kinds
  read -ra kinds <<<"${line##*,}"
  for kind in "${kinds[@]}"; do
    position=$((position + 1))
    if [[ $kind == [*+]* || $position == "${#call[@]}" ]]; then
      kind=${kind:1}
      echo "${kind#\?}"
      return
    fi
  done
}

_ts_vsctl() {
  local word=${COMP_WORDS[COMP_CWORD]} i line name options
  local -a call=() _ts_vsctl_db=()
  # bash cuts words at `=` and `:`: put the one under the cursor together again.
  for ((i = COMP_CWORD; i > 0; i--)); do
    [[ ${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i - 1]} == [=:] ]] || break
    word=${COMP_WORDS[i - 1]}$word
  done
  local first=$i
  for ((i = 1; i < first; i++)); do
    case ${COMP_WORDS[i]} in
      --) call=() ;;
      --db) _ts_vsctl_db=("--db=${COMP_LINE#*--db[= ]}") && _ts_vsctl_db=("${_ts_vsctl_db[0]%% *}") ;;
      -*) ;;
      *) [[ ${COMP_WORDS[i - 1]} == [=:] || ${COMP_WORDS[i]} == [=:] ]] || call+=("${COMP_WORDS[i]}") ;;
    esac
  done
  if ((${#call[@]} == 0)); then
    # Options or the name of a command.
    options=$(ts-vsctl --options | sed -n 's/^\(--[^=]*\)=ARG$/\1=/p; /^--[^=]*$/p')
    options+=" $(ts-vsctl --commands | sed -n 's/^\(\[.*\]\) ,.*/\1/p' | tr -d '[]' | tr ' ' '\n' | sort -u)"
    name=$(ts-vsctl --commands | cut -d, -f2)
    if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
    else COMPREPLY=($(compgen -W "$name" -- "$word")); fi
  else
    line=$(ts-vsctl --commands | grep ",${call[0]},")
    COMPREPLY=($(compgen -W "$(_ts_vsctl_values "$(_ts_vsctl_kind "$line")")" -- "$word"))
  fi
  # What bash keeps before the last `:` or `=` of the word must not be repeated.
  if [[ $word == *[=:]* ]]; then
    local kept=${word%"${word##*[=:]}"}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
  fi
  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
}

complete -F _ts_vsctl ts-vsctl
