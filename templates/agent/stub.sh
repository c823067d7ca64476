PATH={{ search_path }}:$PATH LC_ALL=C DEBIAN_FRONTEND=noninteractive; export PATH LC_ALL DEBIAN_FRONTEND
umask 077
IFS= read -r may_install
for v in http_proxy https_proxy no_proxy; do
IFS= read -r x; [ -z "$x" ] || export "$v=$x"
done
new=
quote() { tr -c '[:print:]' ' ' | tr '"\\' "'/"; }
say() { printf '{"step":"python","status":"%s","text":"%s","elapsed":0}\n' "$1" "$2"; }
fail() { printf '{"error":{"code":"python","message":"%s","cause":"%s","hint":"%s"}}\n' "$1" "$2" "$3"; exit 0; }
look() {
for p in {{ pythons | join(" ") }}; do
command -v "$p" >/dev/null 2>&1 || continue
"$p" -I -S -c '{{ first_stage }}' {{ loader_size }} $new
r=$?
# A Python that did not come to read anything says so by one of these; every other one is the end.
case $r in 1|2|9|126|127) ;; *) exit $r;; esac
done
}
packages() { dpkg-query -W -f '${Package}\n'; }
install_apt() {
before=$(packages)
say begun "installing python3"
dpkg --configure -a >/dev/null 2>&1 </dev/null
a="apt-get -y -q -o DPkg::Lock::Timeout={{ lock_seconds }}"
i="install --no-install-recommends python3"
o=$({ $a $i || { $a update; $a $i; }; } 2>&1 </dev/null) ||
fail "the host has no Python, and installing python3 failed" "$(printf %s "$o" | grep '^[EW]:' | tail -n 4 | quote)" "install python3 on the host, or give it a way to its package repositories (http_proxy, https_proxy)"
new=$(packages | grep -vxF "$before")
say done "installed python3"
}
look
[ "$may_install" = yes ] || fail "the host has no Python 3.8 or newer" "" "install python3 on the host"
# The place for another package manager.
if command -v apt-get >/dev/null 2>&1; then install_apt; look; fi
fail "the host has no Python 3.8 or newer, and no package manager known here" "" "install python3 on the host"
