// SPDX-License-Identifier: Apache-2.0
//! THE DESK / tests, add-dependency: what one command changes, what a second one does not, and what is refused.
//! No Go: WIT and golem.yaml only. Read next: `stubgen.rs`.

use crate::support::Desk;

const STOCK: &str = "package shop:stock;

interface stock-api {
  record lot { article: string, pieces: u32 }
  take: func(lot: lot) -> u64;
}

world stock {
  export stock-api;
}
";

const FRONT: &str = "package shop:front;

interface sales {
  sell: func(article: string) -> u64;
}

// What the front offers.
world front {
\t// Nothing is needed so far.
\texport sales; // the counter
}
";

const PROJECT: &str = "# The shop.
components:
  front: { sourceWit: front/wit, bindings: { style: go } } # with a window
  stock: { sourceWit: stock/wit }
";

fn shop() -> Desk {
    let desk = Desk::new();
    desk.write("front/wit/front.wit", FRONT);
    desk.write("stock/wit/stock.wit", STOCK);
    desk
}

fn project() -> Desk {
    let desk = shop();
    desk.write("golem.yaml", PROJECT);
    desk
}

#[test]
fn one_command_changes_the_four_places_and_a_second_one_changes_nothing() {
    let desk = project();
    let dry = desk.run_in("front", &["add-dependency", "stock", "--dry-run"], &[]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(desk.read("golem.yaml"), PROJECT);
    assert!(!desk.path("target").exists() && !desk.path("front/wit/deps").exists());

    let ran = desk.run_in(
        "front",
        &["add-dependency", "stock", "--error-results"],
        &[],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("front depends on stock now"), "{ran:?}");
    assert_eq!(
        desk.read("golem.yaml"),
        format!(
            "{PROJECT}\ndependencies:\n  front:\n    - {{ type: wasm-rpc, target: stock, errorResults: true }}\n"
        )
    );
    assert_eq!(
        desk.read("front/wit/front.wit"),
        FRONT.replace(
            "world front {\n",
            "world front {\n\timport shop:stock-stub/stub-stock;\n"
        )
    );
    let stub = desk.read("front/wit/deps/shop_stock-stub/_stub.wit");
    assert!(stub.contains("golem-call-error"), "{stub}");
    assert!(desk.path("target/stub/stock+errors/stub.wasm").exists());
    assert_eq!(desk.read("stock/wit/stock.wit"), STOCK);

    let before = desk.files("");
    // From elsewhere, by directory, and without asking for typed errors again.
    for words in [
        &["add-dependency", "stock", "--to", "front"][..],
        &["add-dependency", "./stock"],
        &["add-dependency", "stock", "--error-results"],
    ] {
        let again = desk.run_in("", words, &[]);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(
            again.stdout.contains("unchanged") && again.stderr.is_empty(),
            "{again:?}"
        );
        assert!(desk.files("") == before, "{words:?}");
    }
}

#[test]
fn a_stub_that_is_older_than_its_target_is_made_again() {
    let desk = project();
    desk.ok("add-dependency stock --to front");
    desk.edit(
        "stock/wit/stock.wit",
        "-> u64;",
        "-> u64;\n  count: func() -> u32;",
    );
    let ran = desk.ok("--format json add-dependency stock --to front");
    assert!(ran.stdout.contains("_stub.wit"), "{ran:?}");
    assert!(
        desk.read("front/wit/deps/shop_stock-stub/_stub.wit")
            .contains("blocking-count")
    );
    let again = desk.ok("add-dependency stock --to front");
    assert!(again.stdout.contains("unchanged"), "{again:?}");
}

#[test]
fn two_directories_need_no_project() {
    let desk = shop();
    let ran = desk.run_in("front", &["add-dependency", "../stock"], &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        desk.read("front/wit/front.wit")
            .contains("import shop:stock-stub/stub-stock;")
    );
    assert!(desk.path("front/target/stub/stock/wit/_stub.wit").exists());
    let again = desk.ok("add-dependency stock --to front");
    assert!(again.stdout.contains("unchanged"), "{again:?}");
}

#[test]
fn what_is_refused_changes_nothing() {
    let check = |desk: &Desk, line: &str, code: i32, error: &str, hint: &str| {
        let before = desk.files("");
        let ran = desk.run(line);
        assert_eq!(ran.code, code, "{line}: {ran:?}");
        assert!(
            ran.stderr.contains(error) && ran.stderr.contains(hint),
            "{line}: {ran:?}"
        );
        assert!(desk.files("") == before, "{line}");
    };
    let desk = project();
    check(
        &desk,
        "add-dependency stok --to front",
        1,
        "MAN-007",
        "did you mean `stock`",
    );
    check(
        &desk,
        "add-dependency stock --to front --app none.yaml",
        1,
        "MAN-002",
        "path",
    );
    check(
        &desk,
        "add-dependency front --to front",
        1,
        "MAN-008",
        "circle",
    );
    // The world cannot be read: the stub and golem.yaml stay as they are, too.
    desk.edit("front/wit/front.wit", "export sales;", "export sails;");
    check(&desk, "add-dependency stock --to front", 1, "WIT-", "sails");
    desk.edit("front/wit/front.wit", "export sails;", "export sales;");
    desk.write(
        "golem.yaml",
        &format!("{PROJECT}dependencies: {{ stock: [] }}\n"),
    );
    check(
        &desk,
        "add-dependency stock --to front",
        1,
        "MAN-009",
        "target: stock",
    );
    desk.write(
        "golem.yaml",
        &format!("{PROJECT}  third: {{ sourceWit: third/wit }}\n"),
    );
    check(&desk, "add-dependency stock", 2, "CLI-030", "--to front");
    desk.write("golem.yaml", PROJECT);
    desk.ok("add-dependency stock --to front");
    check(
        &desk,
        "add-dependency stock --to front --error-results",
        1,
        "MAN-010",
        "errorResults: true",
    );
    // The last file cannot be written: those before it are as they were.
    let desk = project();
    desk.write("target/stub/stock/stub.wasm/in-the-way", "");
    check(
        &desk,
        "add-dependency stock --to front",
        1,
        "DEP-006",
        "stub.wasm",
    );
    let desk = shop();
    check(
        &desk,
        "add-dependency nowhere --to front",
        3,
        "CLI-031",
        "wit",
    );
}
