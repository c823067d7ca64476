from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.nspawn import sources
from machine.drivers.nspawn.sources import Source

DEBIAN = """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://user:secret@mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg
"""

NOT_DEBIAN = [
    "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.gpg] https://download.docker.com/linux/debian bookworm stable",
    "deb [signed-by=/usr/share/keyrings/hashicorp.gpg] https://apt.releases.hashicorp.com bookworm main",
    "deb [signed-by=/usr/share/keyrings/gitlab.gpg] https://packages.gitlab.com/runner/debian/ bookworm main",
    "deb https://packages.cloud.google.com/apt cloud-sdk-bookworm main",
    "deb https://packages.microsoft.com/debian/12/prod bookworm main",
    "deb https://deb.nodesource.com/node_20.x nodistro main",
    "deb http://apt.postgresql.org/pub/repos/apt bookworm-pgdg main",
    "deb http://mirror.example/debian trixie main",
    "deb-src http://mirror.example/debian bookworm main",
    "# deb http://mirror.example/debian bookworm main",
]


def test_a_deb822_file_is_understood_with_its_continuation_lines() -> None:
    first, second = sources.parse_deb822(DEBIAN)
    assert first.suites == ("bookworm", "bookworm-updates", "bookworm-backports")
    assert second.signed_by == "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_a_disabled_stanza_is_left_out() -> None:
    assert sources.parse_deb822(DEBIAN.replace("Types: deb\n", "Types: deb\nEnabled: no\n")) != []
    assert len(sources.parse_deb822(DEBIAN.replace("Types: deb\n", "Types: deb\nEnabled: no\n"))) == 1


@pytest.mark.parametrize("line", NOT_DEBIAN)
def test_other_vendors_repositories_are_not_debian(line: str) -> None:
    assert not [source for source in sources.parse_one_line(line) if sources.is_debian(source, "bookworm")]


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example/debian bookworm main contrib non-free-firmware",
        "deb [trusted=yes] http://mirror.corp.example/pub/debian/ bookworm-updates main # ours",
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://10.0.0.1/d bookworm main",
    ],
)
def test_mirrors_are_debian(line: str) -> None:
    (source,) = sources.parse_one_line(line)
    assert sources.is_debian(source, "bookworm")


def test_the_operators_sources_are_chosen_without_backports() -> None:
    chosen = sources.choose("bookworm", None, sources.parse_deb822(DEBIAN), "bookworm")
    assert [source.suites for source in chosen] == [("bookworm", "bookworm-updates"), ("bookworm-security",)]


def test_another_suite_comes_from_the_operators_mirrors() -> None:
    chosen = sources.choose("trixie", None, sources.parse_deb822(DEBIAN), "bookworm")
    assert chosen[0].uris == ("http://mirror.example/debian",)
    assert [source.suites for source in chosen] == [("trixie", "trixie-updates"), ("trixie-security",)]


def test_without_sources_of_its_own_debians_are_taken() -> None:
    chosen = sources.choose("bookworm", None, sources.parse_one_line("\n".join(NOT_DEBIAN)), None)
    assert chosen[0].uris == (sources.DEFAULT_MIRROR,)


def test_a_mirror_that_was_asked_for_is_the_only_source() -> None:
    (source,) = sources.choose("bookworm", "http://m.example/debian", sources.parse_deb822(DEBIAN), "bookworm")
    assert source.uris == ("http://m.example/debian",)


def test_credentials_do_not_reach_a_machine() -> None:
    text = sources.render(source.without_credentials() for source in sources.parse_deb822(DEBIAN))
    assert "secret" not in text
    assert "http://mirror.example/debian-security" in text
    proxy = ['Acquire::http::Proxy "http://user:secret@proxy.example:3128/";', 'Acquire::Retries "3";']
    assert sources.settings_for_machine(proxy) == (
        'Acquire::http::Proxy "http://proxy.example:3128/";\nAcquire::Retries "3";\n'
    )


def test_what_only_the_operator_can_reach_or_run_does_not_reach_a_machine() -> None:
    assert not sources.settings_for_machine(
        [
            'Acquire::http::Proxy "http://127.0.0.1:3142";',
            'Acquire::https::CaInfo "/etc/corp.pem";',
            'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto";',
        ]
    )


def test_only_how_packages_are_fetched_is_taken_from_apt() -> None:
    dump = ['APT "";', 'Acquire::http "";', 'Acquire::http::Proxy "http://p:1";', 'DPkg::Post-Invoke:: "rm x";']
    dump.append('Acquire::Check-Date "false";')
    assert sources.fetch_settings("\n".join(dump)) == [
        'Acquire::http::Proxy "http://p:1";',
        'Acquire::Check-Date "false";',
    ]


def test_files_of_other_names_are_not_sources(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(DEBIAN)
    (parts / "old.list.disabled").write_text("deb http://mirror.example/debian bookworm main")
    (tmp_path / "sources.list").write_text("deb http://first.example/debian bookworm main\n")
    assert sources.operator_sources(tmp_path)[0].uris[0] == "http://first.example/debian"
    assert len(sources.operator_sources(tmp_path)) == 3


def test_only_debian_has_a_code_name_of_debian(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="trixie"\n')
    assert sources.own_codename(release) == "trixie"
    release.write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    assert sources.own_codename(release) is None
    assert sources.own_codename(tmp_path / "none") is None


def test_rendering_and_parsing_are_inverse() -> None:
    source = Source(uris=("http://a/debian",), suites=("s",), components=("main",), signed_by="/k.gpg")
    assert sources.parse_deb822(sources.render([source])) == [source]
