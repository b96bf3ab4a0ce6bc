#!/usr/bin/env bash
# Makes a local container image with MongoDB's programs of this machine, for machines where no image can be pulled, and prints its name.
# The image stays on this machine: MongoDB's server is under the SSPL and is never shipped.
#
# Without a MONGOS it carries the development query router under that name (build/mongos), which is built here.
#
#   scripts/image.sh MONGOD [MONGOS]
set -euo pipefail

mongod=${1:?usage: scripts/image.sh MONGOD [MONGOS]}
version=$("$mongod" --version | sed -n 's/^db version v//p')
image=geoshard-mongodb:$version
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

here=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$root"/usr/bin "$root"/data/db "$root"/tmp "$root"/etc
chmod 1777 "$root"/tmp
echo 'root:x:0:0:root:/:/usr/bin/mongod' >"$root"/etc/passwd
echo 'hosts: files dns' >"$root"/etc/nsswitch.conf

for program in "$@"; do
  cp "$program" "$root/usr/bin/"
  # What the loader finds here is what the program needs there, at the same place. The loader itself is named without an arrow.
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\// {print $1}'
done | sort -u | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
# Before glibc 2.34 name services were libraries of their own, which ldd does not name.
for library in /lib/*-linux-gnu/libnss_{dns,files}.so.2; do
  [ -e "$library" ] && mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library"
done

if [ "$#" -lt 2 ]; then
  (cd "$here" && GOFLAGS=$(scripts/goflags.sh) CGO_ENABLED=0 GOOS=linux go build -trimpath -o "$root/usr/bin/mongos" ./build/mongos)
fi

tar -C "$root" --owner=0 --group=0 -c . |
  docker import --change 'ENV PATH=/usr/bin' --change 'EXPOSE 27017' --change 'CMD ["mongod", "--bind_ip_all"]' - "$image" >&2
echo "$image"
