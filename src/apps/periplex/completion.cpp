// SPDX-License-Identifier: Apache-2.0
#include "apps/periplex/completion.hpp"

namespace periplex::apps {
namespace {

constexpr std::string_view kBash = R"sh(# bash completion for periplex: source <(periplex completion bash)
_periplex_ids() {
  local options=() i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --machine | --control) options+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
    esac
  done
  periplex "${options[@]}" --json list 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d'"' -f4
}

_periplex() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= sub= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --machine | --control | --to | --memory | --qemu | --listen | --attach) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; elif [[ -z $sub ]]; then sub=${COMP_WORDS[i]}; fi ;;
    esac
  done
  local words=
  case $previous in
    --control | --qemu) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --machine) words=$(ls "${XDG_RUNTIME_DIR:-/run/user/$UID}/periplex" /run/periplex 2>/dev/null | grep -v :) ;;
    --to) words=$(_periplex_ids) ;;
    --memory) words="1G 2G 4G 8G" ;;
    *)
      case $command/$sub in
        /) words="list attach detach eject insert type key pointer stats capture args doctor serve browse completion version --machine --control --json --help" ;;
        attach/)
          if [[ $current == *image=* ]]; then
            COMPREPLY=($(compgen -P "${current%%image=*}image=" -f -- "${current##*image=}")); compopt -o nospace; return
          fi
          compopt -o nospace
          case $current in
            *,*)
              local begun=${current%,*}
              words="$begun,controller= $begun,id= $begun,speed=full $begun,speed=high $begun,speed=super" ;;
            *) words="storage,image= keyboard tablet mouse serial sound,playback= storage,removable=true,image= storage,readonly=true,image= storage,transport=uas,image= usbip,host= usbip,listen= usbredir,host= seat,peripheral=" ;;
          esac ;;
        detach/ | eject/ | insert/) words=$(_periplex_ids); [[ $command == eject ]] && words+=" --force" ;;
        insert/* | capture/start) COMPREPLY=($(compgen -f -- "$current")); return ;;
        key/*) words="enter esc tab space backspace delete insert home end page_up page_down up down left right f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 ctrl+alt+delete ctrl+c --to" ;;
        type/*) words="--to" ;;
        pointer/) words="move by click scroll" ;;
        pointer/click) words="left middle right --to" ;;
        pointer/*) words="--to" ;;
        capture/) words="start stop" ;;
        args/) words="qemu libvirt cloud-hypervisor" ;;
        args/*) words="--memory" ;;
        stats/) words="--prometheus --json" ;;
        doctor/) words="--qemu --json" ;;
        serve/) words="usbip usbredir" ;;
        browse/) words="usbip" ;;
        serve/*) words="--listen --attach --json" ;;
        completion/) words="bash zsh fish" ;;
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _periplex periplex)sh";

constexpr std::string_view kZsh = R"sh(#compdef periplex
# zsh completion for periplex: periplex completion zsh > "${fpath[1]}/_periplex"
_periplex_ids() {
  local -a ids options
  (( ${+opt_args[--machine]} )) && options+=(--machine "${opt_args[--machine]}")
  (( ${+opt_args[--control]} )) && options+=(--control "${opt_args[--control]}")
  ids=(${(f)"$(periplex $options --json list 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d'"' -f4)"})
  compadd -a ids
}

_periplex() {
  local state line
  typeset -A opt_args
  local -a commands=(
    'list:show what is plugged in' 'attach:plug a peripheral in' 'detach:pull a peripheral'
    'eject:take the medium out' 'insert:put a medium in' 'type:type a text' 'key:press keys'
    'pointer:move, click and scroll' 'stats:show what has been counted' 'capture:write USB traffic to a file'
    'args:print what a monitor has to be started with' 'doctor:find what is wrong'
    'serve:serve peripherals to others' 'browse:show what another computer offers' 'completion:print a completion script'
    'version:show the version')
  _arguments -C '--machine[the machine'\''s name]:name:' '--control[its control socket]:socket:_files' \
    '--json[print JSON]' '--help[show help]' '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
        attach) _values -s , kind 'storage,image=' keyboard tablet mouse serial 'sound,playback=' 'usbip,host=' 'usbip,listen=' 'usbredir,host=' busid= 'seat,peripheral=' controller= id= speed= || _files ;;
        stats) _arguments '--prometheus[as Prometheus scrapes it]' ;;
        detach) _arguments '1:peripheral:_periplex_ids' ;;
        eject) _arguments '--force[even if the guest has locked it]' '1:disk:_periplex_ids' ;;
        insert) _arguments '1:disk:_periplex_ids' '2:image:_files' ;;
        type) _arguments '--to[which keyboard]:keyboard:_periplex_ids' '1:text:' ;;
        key) _arguments '--to[which keyboard]:keyboard:_periplex_ids' '*:chord:(enter esc tab ctrl+alt+delete ctrl+c f1 f2 f12)' ;;
        pointer) _arguments '--to[which pointer]:pointer:_periplex_ids' '1:action:(move by click scroll)' '2:value:(left middle right)' ;;
        capture) _arguments '1:action:(start stop)' '2:file:_files' ;;
        args) _arguments '--memory[RAM]:size:(1G 2G 4G)' '1:vmm:(qemu libvirt cloud-hypervisor)' ;;
        serve) _arguments '--listen[address and port]:address:' '*--attach[a peripheral]:specification:' '1:protocol:(usbip usbredir)' ;;
        browse) _arguments '1:protocol:(usbip)' '2:host:_hosts' ;;
        doctor) _arguments '--qemu[the QEMU to look at]:program:_files' ;;
        completion) _arguments '1:shell:(bash zsh fish)' ;;
      esac ;;
  esac
}
_periplex "$@")sh";

constexpr std::string_view kFish = R"sh(# fish completion for periplex: periplex completion fish | source
function __periplex_ids
    set -l words (commandline -opc)
    set -l options
    for i in (seq (count $words))
        if contains -- $words[$i] --machine --control
            set -a options $words[$i] $words[(math $i + 1)]
        end
    end
    periplex $options --json list 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d'"' -f4
end

complete -c periplex -f
complete -c periplex -l machine -x -d "The machine's name"
complete -c periplex -l control -r -F -d "Its control socket"
complete -c periplex -l json -d "Print JSON"
for line in "list	Show what is plugged in" "attach	Plug a peripheral in" "detach	Pull a peripheral" \
        "eject	Take the medium out" "insert	Put a medium in" "type	Type a text" "key	Press keys" \
        "pointer	Move, click and scroll" "stats	Show what has been counted" "capture	Write USB traffic to a file" \
        "args	Print what a monitor has to be started with" "doctor	Find what is wrong" \
        "serve	Serve peripherals to others" "browse	Show what another computer offers" \
        "completion	Print a completion script" "version	Show the version"
    set -l pair (string split \t -- $line)
    complete -c periplex -n __fish_use_subcommand -a $pair[1] -d $pair[2]
end
complete -c periplex -n "__fish_seen_subcommand_from attach" -a "storage,image= keyboard tablet mouse serial sound,playback= usbip,host= usbip,listen= usbredir,host= seat,peripheral="
complete -c periplex -n "__fish_seen_subcommand_from attach" -a "keyboard,controller= tablet,controller= mouse,controller="
complete -c periplex -n "__fish_seen_subcommand_from stats" -l prometheus -d "As Prometheus scrapes it"
complete -c periplex -n "__fish_seen_subcommand_from detach eject insert" -a "(__periplex_ids)"
complete -c periplex -n "__fish_seen_subcommand_from eject" -l force -d "Even if the guest has locked it"
complete -c periplex -n "__fish_seen_subcommand_from insert start" -F
complete -c periplex -n "__fish_seen_subcommand_from type key pointer" -l to -x -a "(__periplex_ids)" -d "Which one"
complete -c periplex -n "__fish_seen_subcommand_from key" -a "enter esc tab ctrl+alt+delete ctrl+c f1 f2 f12"
complete -c periplex -n "__fish_seen_subcommand_from pointer" -a "move by click scroll"
complete -c periplex -n "__fish_seen_subcommand_from click" -a "left middle right"
complete -c periplex -n "__fish_seen_subcommand_from capture" -a "start stop"
complete -c periplex -n "__fish_seen_subcommand_from args" -a "qemu libvirt cloud-hypervisor"
complete -c periplex -n "__fish_seen_subcommand_from args" -l memory -x -a "1G 2G 4G" -d RAM
complete -c periplex -n "__fish_seen_subcommand_from serve browse" -a usbip
complete -c periplex -n "__fish_seen_subcommand_from serve" -a usbredir
complete -c periplex -n "__fish_seen_subcommand_from serve" -l listen -x -d "Where clients connect"
complete -c periplex -n "__fish_seen_subcommand_from serve" -l attach -x -a "storage,image= keyboard tablet mouse" -d "A peripheral"
complete -c periplex -n "__fish_seen_subcommand_from doctor" -l qemu -r -F -d "The QEMU to look at"
complete -c periplex -n "__fish_seen_subcommand_from completion" -a "bash zsh fish")sh";

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  return std::string(kFish);
}

}  // namespace periplex::apps
