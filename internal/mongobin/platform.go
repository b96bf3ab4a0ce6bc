package mongobin

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// archiveVersion is the release that is fetched from MongoDB's download site. From 8.0.24 on the built-in role enableSharding may assign
// zone ranges (SERVER-122697).
const archiveVersion = "8.0.32"

// archFor gives the processor's name in MongoDB's archive names.
var archFor = map[string]map[string]string{
	"linux":   {"amd64": "x86_64", "arm64": "aarch64"},
	"darwin":  {"amd64": "x86_64", "arm64": "arm64"},
	"windows": {"amd64": "x86_64"},
}

// archivePath returns the path of MongoDB's archive of a version below the download site, for an
// operating system, a processor and, on Linux, the fields of /etc/os-release. Its error is
// ErrNoArchive.
func archivePath(goos, goarch, version string, release map[string]string) (string, error) {
	arch := archFor[goos][goarch]
	if arch == "" {
		return "", fmt.Errorf("%w: %s on %s", ErrNoArchive, goos, goarch)
	}
	switch goos {
	case "darwin":
		return fmt.Sprintf("osx/mongodb-macos-%s-%s.tgz", arch, version), nil
	case "windows":
		return fmt.Sprintf("windows/mongodb-windows-%s-%s.zip", arch, version), nil
	}
	build := linuxBuild(arch, release)
	if older, ok := builds60[build]; ok && strings.HasPrefix(version, "6.0.") {
		build = older
	}
	if build == "" {
		return "", fmt.Errorf("%w: Linux distribution %q, version %q", ErrNoArchive, release["ID"], release["VERSION_ID"])
	}
	return fmt.Sprintf("linux/mongodb-linux-%s-%s-%s.tgz", arch, build, version), nil
}

// builds60 are the builds of 6.0, which knew no newer distributions, for those that came later
// (manual 6.0: Production Notes, Platform Support).
var builds60 = map[string]string{"debian12": "ubuntu2204", "ubuntu2404": "ubuntu2204", "rhel93": "rhel90", "amazon2023": ""}

// linuxBuild names the build for a distribution; "" when none fits. A distribution newer than the newest build gets that one: the
// libraries it needs only grow.
func linuxBuild(arch string, release map[string]string) string {
	family := append([]string{release["ID"]}, strings.Fields(release["ID_LIKE"])...)
	is := func(name string) bool { return slices.Contains(family, name) }
	var major int
	_, _ = fmt.Sscan(release["VERSION_ID"], &major) // rolling distributions have none: 0
	own := release["ID"]
	switch {
	case own == "ubuntu" || own != "debian" && is("ubuntu"):
		return ubuntuBuild(release)
	case own == "debian" && major >= 12 && arch == "x86_64":
		return "debian12"
	case own == "debian" && major == 11:
		return "ubuntu2004" // the same C and TLS libraries
	case is("debian"):
		// MongoDB builds nothing for Debian on ARM; Ubuntu 22.04's build needs a C library older than Debian 12's.
		return "ubuntu2204"
	case own == "amzn":
		return "amazon2023"
	case is("suse"), is("sles"), is("opensuse"):
		return "suse15"
	case own == "fedora":
		return "rhel93"
	case is("rhel"), is("centos"), is("fedora"):
		if major == 8 {
			return "rhel8"
		}
		return "rhel93"
	}
	return ""
}

func ubuntuBuild(release map[string]string) string {
	switch cmp.Or(release["UBUNTU_CODENAME"], release["VERSION_CODENAME"]) {
	case "focal":
		return "ubuntu2004"
	case "jammy":
		return "ubuntu2204"
	}
	return "ubuntu2404"
}

// parseOSRelease reads the fields of an os-release file.
func parseOSRelease(r io.Reader) map[string]string {
	fields := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok && !strings.HasPrefix(key, "#") {
			fields[key] = strings.Trim(value, `"'`)
		}
	}
	return fields
}
