# bash answers.sh PORT [PATH [STATUS]]: whether something listens on a port of this container or, with a path, answers by
# HTTP, with that status if one is given.
# A health check runs for as long as the installation lives: this takes 3 ms of CPU, a Python that imports Dagster 1.4 s.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
[[ $# == 1 ]] && exit 0
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
read -r -t 4 status <&3 && [[ $status == "HTTP/1."[01]" "${3:-}* ]]
