//! Facts of client-go's own tests, and of client-go v0.35 where it was asked.

use serde_json::json;

use super::*;

fn render(template: &str, value: &Value) -> String {
    Template::parse(template).expect(template).render(value)
}

fn assert_facts(value: &Value, facts: &[(&str, &str)]) {
    for (template, text) in facts {
        assert_eq!(&render(template, value), text, "{template}");
    }
}

/// The document of client-go's TestKubernetes.
fn nodes() -> Value {
    json!({
        "kind": "List",
        "items": [
            {
                "kind": "None",
                "metadata": {"name": "127.0.0.1", "labels": {"kubernetes.io/hostname": "127.0.0.1"}},
                "status": {
                    "capacity": {"cpu": "4"},
                    "ready": true,
                    "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.1"}],
                },
            },
            {
                "kind": "None",
                "metadata": {"name": "127.0.0.2", "labels": {"kubernetes.io/hostname": "127.0.0.2"}},
                "status": {
                    "capacity": {"cpu": "8"},
                    "ready": false,
                    "addresses": [
                        {"type": "LegacyHostIP", "address": "127.0.0.2"},
                        {"type": "another", "address": "127.0.0.3"},
                    ],
                },
            },
        ],
        "users": [
            {"name": "myself", "user": {}},
            {"name": "e2e", "user": {"username": "admin", "password": "secret"}},
        ],
    })
}

/// Arrays of every type, and names that RFC 9535 takes in brackets only.
fn things() -> Value {
    json!({
        "a": {"b": 1, "none": null, "half": 1.5, "one": 1.0, "large": 1e21, "small": 0.00001, "html": "<&>"},
        "a.b": "dotted", "k8s-app_1": "dashed", "web/html": 15, "it's": "quoted", "ø": "ø", "": "nameless",
        "bools": [true, false, true, false],
        "any": [true, "one", 1, 1.1],
        "maps": [
            {"name": "one", "value": 1},
            {"name": "two", "value": 2.02},
            {"name": "three", "value": 3.03, "extra": null},
            {"name": "four", "value": 4},
        ],
        "empty": [],
    })
}

#[test]
fn text_and_paths_stand_side_by_side() {
    assert_facts(
        &nodes(),
        &[
            ("hello jsonpath", "hello jsonpath"),
            ("kind {.kind}, {.users[0].name}\n", "kind List, myself\n"),
            ("before-{.hello}after", "before-after"),
            (r#"{.kind}{"\t"}{'x'}{"\n"}"#, "List\tx\n"),
            (r#"{"{"}{.kind}{"}"}"#, "{List}"),
            (r"{'\''}{'a\tb'}", "'a\tb"),
            ("a}b", "a}b"),
            ("{1} {true} {1.50} {+5}", "1 true 1.5 5"),
        ],
    );
}

#[test]
fn several_values_have_spaces_between() {
    assert_facts(
        &nodes(),
        &[
            ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
            ("{.items[*].status.addresses[*].address}", "127.0.0.1 127.0.0.2 127.0.0.3"),
            (
                "{.items[*]['metadata.name', 'status.capacity']}",
                r#"127.0.0.1 127.0.0.2 {"cpu":"4"} {"cpu":"8"}"#,
            ),
            ("{..name}", "127.0.0.1 127.0.0.2 myself e2e"),
            ("{...name}", "127.0.0.1 127.0.0.2 myself e2e"),
            ("{..['address','cpu']}", "127.0.0.1 127.0.0.2 127.0.0.3 4 8"),
            ("{.items[0].status.capacity.*}", "4"),
            ("{.users[1].user.*}", "secret admin"),
        ],
    );
}

#[test]
fn a_range_repeats_what_is_in_it() {
    assert_facts(
        &nodes(),
        &[
            ("{range .items[*]}{.metadata.name}, {end}{.kind}", "127.0.0.1, 127.0.0.2, List"),
            (r#"{range .items[*]}{.metadata.name}{"\t"}{end}"#, "127.0.0.1\t127.0.0.2\t"),
            ("{range .items[*]}{@.metadata.name}{$.kind} {end}", "127.0.0.1None 127.0.0.2None "),
            (
                "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}",
                r#"[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] "#,
            ),
            (
                "{range .items[*]}{range .status.addresses[*]}{.address}, {end}{end}",
                "127.0.0.1, 127.0.0.2, 127.0.0.3, ",
            ),
            (
                "{range .items[*]}{range .status.addresses[*]}{.type},{end}{.kind}+{end}{.kind}",
                "LegacyHostIP,None+LegacyHostIP,another,None+List",
            ),
            (
                r#"{range .items[?(.status.ready==true)]}{.metadata.name}{" is ready\n"}{end}"#,
                "127.0.0.1 is ready\n",
            ),
            ("{range .nothing[*]}{.name}x{end}y", "y"),
            ("{range .users[*]}{range .nothing[*]}x{end}{.name},{end}", "myself,e2e,"),
            ("{range .users[*]}{range .nothing[*]}{range .x}{end}{end}{.name},{end}", "myself,e2e,"),
        ],
    );
}

#[test]
fn what_follows_a_range_without_its_end_is_said_once_more() {
    assert_facts(
        &nodes(),
        &[
            (r#"{range .users[*]}{.name}{"\n"}"#, "myself\ne2e\n\n"),
            ("{range .users[*]}{range .user}{end}{.name},", "myself,e2e,,"),
        ],
    );
}

#[test]
fn names_are_any_text() {
    assert_facts(
        &things(),
        &[
            ("{.k8s-app_1} {.web/html} {.ø} {.it's} {.}", "dashed 15 ø quoted nameless"),
            (r"{.a\.b} {['a\.b']} {$.a\.b}", "dotted dotted dotted"),
            ("{.a.b} {['a.b']} {.a['b']} {@['a']['b']}", "1 1 1 1"),
            ("{.a .b}", "1"),
            ("{.bools.b}{.a.b.c}{.nothing.at.all}", ""),
        ],
    );
    assert_facts(
        &nodes(),
        &[
            (r"{.items[0].metadata.labels.kubernetes\.io/hostname}", "127.0.0.1"),
            (r"{.items[*].metadata.labels['kubernetes\.io/hostname']}", "127.0.0.1 127.0.0.2"),
        ],
    );
}

#[test]
fn arrays_have_indexes_slices_and_unions() {
    assert_facts(
        &things(),
        &[
            ("{ .bools[0] } { .bools[-1] } { .bools[] }", "true false true"),
            ("{.bools[0:2]} {.bools[:2]} {.bools[:4:2]}", "true false true false true true"),
            ("{.any[:2]} {.any[-1:]}", "true one 1.1"),
            ("{.maps[::2].name} {.maps[1::2].name} {.maps[1:4:2].name}", "one three two four two four"),
            ("{.maps[0:-1].name},{.maps[-4:].name}", "one two three,one two three four"),
            ("{.maps[0:0].name}{.maps[5:5].name}{.maps[-1:0].name}{.maps[3:1].name}", ""),
            (
                "{.maps[0,1].name} {.maps[0:1,1:2].name} {.maps[*,0].name}",
                "one two one two one two three four one",
            ),
            ("{.maps[0]['name','value']}", "one 1"),
        ],
    );
    assert_eq!(render("{[1,3,4]}", &json!([0, 1, 2, 3, 4])), "1 3 4");
    assert_eq!(render("{..}", &json!([1, 2, 3])), "[1,2,3]");
    assert_eq!(render("{[0:2]}", &json!(["Monday", "Tuesday"])), "Monday Tuesday");
}

#[test]
fn where_kubectl_gives_up_on_a_document_nothing_is_found() {
    assert_facts(
        &things(),
        &[
            ("{.maps[4].name}{.maps[-5].name}{.a[0]}{.a.b[0]}{.a[*]}{.empty[0]}", ""),
            ("{.maps[2:9].name}", "three four"),
            ("{.maps[99999999999999999]}", ""),
            ("{.maps[?(@.name==1)].name}{.maps[?(@.name<1)].name}{.a.b[?(@.b)]}", ""),
        ],
    );
}

#[test]
fn filters_choose_items() {
    assert_facts(
        &nodes(),
        &[
            (r#"{.users[?(@.name=="e2e")].user.password}"#, "secret"),
            (r"{.users[?(@.name=='e2e')].user.password}", "secret"),
            (r#"{.users[?( @.name == "e2e" )].name}"#, "e2e"),
            (r#"{.users[?("e2e"==@.name)].name}"#, "e2e"),
            (r#"{.users[?(.name!="e2e")].name}"#, "myself"),
            (r#"{.users[?(@['name']=="e2e")].name}"#, "e2e"),
            (r#"{.users[?(@.user.username)].name}"#, "e2e"),
            (r#"{.users[?(@.name=="x)")].name}{.users[?(@.name=="}")].name}"#, ""),
            (r#"{.items[?(@.metadata.labels.kubernetes\.io/hostname=="127.0.0.1")].kind}"#, "None"),
            ("{.items[?(@.status.ready==false)].metadata.name}", "127.0.0.2"),
            ("{.items[?(@..ready==true)].metadata.name}", "127.0.0.1"),
            ("{.items[?(@.status.addresses[1].type=='another')].metadata.name}", "127.0.0.2"),
        ],
    );
    assert_facts(
        &things(),
        &[
            ("{.maps[?(@.value>2)].name}", "two three four"),
            ("{.maps[?(@.value<=2.02)].name}", "one two"),
            ("{.maps[?(@.value>=4)].name}{.maps[?(@.value<-1)].name}", "four"),
            ("{.maps[?(@.value<9007199254740993)].name}", "one two three four"),
            ("{.maps[?(@.extra)].name}", "three"),
        ],
    );
    assert_eq!(render("{[?(@<5)]}", &json!([2, 6, 3, 7])), "2 3");
    assert_eq!(render("{[?(@.z)].id}", &json!([{"id": "i1"}, {"id": "i2", "z": 1}])), "i2");
}

#[test]
fn a_comparison_with_what_is_missing_is_never_true() {
    assert_facts(
        &things(),
        &[
            (r#"{.maps[?(@.nothing!="x")].name}"#, ""),
            ("{.maps[?(@.nothing==@.nowhere)].name}", ""),
            ("{.maps[?(@.nothing>=@.nowhere)].name}", ""),
            ("{.maps[?(@..nothing!=@..nowhere)].name}", ""),
            ("{.maps[?(@.extra!=1)].name}", "three"),
        ],
    );
}

#[test]
fn values_are_printed_as_go_prints_them() {
    assert_facts(
        &things(),
        &[
            ("{.bools}", "[true,false,true,false]"),
            ("{.any}", r#"[true,"one",1,1.1]"#),
            ("{.a.none}", "null"),
            ("{.a.html}", "<&>"),
            ("{.a.half} {.a.one} {.a.large} {.a.small}", "1.5 1 1e+21 1e-05"),
            (
                "{.a}",
                r#"{"b":1,"half":1.5,"html":"\u003c\u0026\u003e","large":1e+21,"none":null,"one":1,"small":0.00001}"#,
            ),
        ],
    );
}

#[test]
fn a_template_is_refused_before_it_is_used() {
    for (template, error) in [
        ("{.a[", "unterminated array"),
        ("{.a[}", "unterminated array"),
        ("{.a", "unclosed action"),
        ("{.a\n}", "unclosed action"),
        (r"{.a\}", "unclosed action"),
        (r#"{"abc"#, "unterminated quoted string"),
        (r#"{"\"}"#, "unterminated quoted string"),
        (r#"{"\q"}"#, r#"unquote string "\q" error invalid syntax"#),
        ("{[?(@.x", "unterminated filter"),
        ("{.a[?(@.x]}", "unterminated filter"),
        ("{[?(@.x)", "unclosed array expect ]"),
        (r#"{.a["b"]}"#, r#"invalid array index "b""#),
        ("{.a[x]}", "invalid array index x"),
        ("{.a[1:2:3:4]}", "invalid array index 1:2:3:4"),
        ("{.a[-]}", "array index - is not a number"),
        ("{.a[99999999999999999999]}", "array index 99999999999999999999 is not a number"),
        ("{.a[::0]}", "step must be > 0"),
        ("{.a[::-1]}", "step must be > 0"),
        ("{hello}", "unrecognized identifier hello"),
        ("{.a[?(@.n==null)]}", "unrecognized identifier null"),
        ("{.a[?(range)]}", "unrecognized identifier range"),
        ("{end}", "not in range, nothing to end"),
        ("{range .a}{end}{end}", "not in range, nothing to end"),
        ("{....b}", "invalid multiple recursive descent"),
        ("{..*}", "unrecognized character in action: U+002A '*'"),
        ("{.a,.b}", "unrecognized character in action: U+002C ','"),
        ("{.a\t.b}", "unrecognized character in action: U+0009"),
        (r#"{.a[?(@.n=="p" && @.l)]}"#, "unrecognized character in action: U+0026 '&'"),
        (r#"{.a[?(@.n=~"p")]}"#, "unrecognized character in action: U+007E '~'"),
        ("{.a[?(@.n==)]}", "unrecognized character in action: U+003D '='"),
        (r#"{.a[?(@.n<>"p")]}"#, "unrecognized filter operator <>"),
        ("{-}", "cannot parse number -"),
        ("{1.2.3}", "cannot parse number 1.2.3"),
        ("{.a[?(@['a','b']==1)]}", "a filter takes a path, a text, a number, true or false on each side"),
        ("{.a[?(@..)]}", "nothing is named after .."),
    ] {
        let whole = format!("error parsing jsonpath {template}, {error}");
        assert_eq!(Template::parse(template).expect_err(template), whole);
    }
    assert_eq!(Template::parse("").expect_err("empty"), "template format specified but no template given");
}

#[test]
fn a_relaxed_expression_needs_neither_braces_nor_a_dot() {
    for expression in ["metadata.name", ".metadata.name", "{metadata.name}", "{.metadata.name}"] {
        assert_eq!(relaxed(expression).as_deref(), Ok("{.metadata.name}"), "{expression}");
    }
    assert_eq!(relaxed("").as_deref(), Ok(""));
    assert_eq!(relaxed(".").as_deref(), Ok("{..}"));
    for expression in ["{.a}{.b}", "{}", "{", "a}", "x{.a}"] {
        let error = relaxed(expression).expect_err(expression);
        assert!(error.starts_with("unexpected path string, expected a 'name1.name2' or "), "{error}");
    }
}
