//! What an admission policy or a webhook refuses of a session, told before the first write.

use crate::create::willing;
use crate::process::Ended;
use crate::server::{Answer, Server, failure};

const DEPLOYMENTS: &str = "POST /apis/apps/v1/namespaces/team-a/deployments";
const CONFIG_MAPS: &str = "POST /api/v1/namespaces/team-a/configmaps";
const SERVICES: &str = "POST /api/v1/namespaces/team-a/services";

/// Creates a session where the API server answers `refused` with this.
fn create(refused: &'static str, (code, message): (u16, &'static str)) -> (Ended, Server) {
    let answer = move |line: &str| -> Option<Answer> {
        let reason = if code == 403 { "Forbidden" } else { "BadRequest" };
        if line == refused { Some(failure(code, reason, message)) } else { willing(line) }
    };
    let server = Server::answering(answer);
    (server.flink(&["create", "roc", "--wait=false"]), server)
}

#[test]
fn a_policy_that_refuses_what_flink_would_make_is_named_and_no_right_is_missing() {
    let policy = "deployments.apps \"roc\" is forbidden: ValidatingAdmissionPolicy 'no-deployments' with binding 'all' denied request: use the platform";
    let webhook = "admission webhook \"sizes.example.com\" denied the request: too large";
    for (refused, answer, object, name, command) in [
        (
            DEPLOYMENTS,
            (403, policy),
            "deployment.apps/roc",
            "admission policy no-deployments",
            "kubectl describe validatingadmissionpolicy -n team-a no-deployments",
        ),
        (DEPLOYMENTS, (403, webhook), "deployment.apps/roc", "admission webhook sizes.example.com", ""),
        (DEPLOYMENTS, (400, webhook), "deployment.apps/roc", "admission webhook sizes.example.com", ""),
        (
            CONFIG_MAPS,
            (403, webhook),
            "configmap/flink-config-roc",
            "admission webhook sizes.example.com",
            "",
        ),
        (SERVICES, (403, webhook), "service/roc-rest", "admission webhook sizes.example.com", ""),
    ] {
        let (ended, server) = create(refused, answer);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
        assert!(server.writes().is_empty(), "{:?}", server.writes());
        for told in [
            "error: session roc would not start in namespace team-a\n",
            &format!("because: the API server would not create {object} in namespace team-a\n"),
            &format!("because: {}\n", answer.1),
            &format!("hint: change what {name} refuses, or ask an administrator"),
            command,
        ] {
            assert!(ended.stderr.contains(told), "{told:?} is not in\n{ended}");
        }
        for of_rights in ["lack", "auth can-i", "--rbac", "you may not", "permission"] {
            assert!(!ended.stderr.contains(of_rights), "{of_rights:?} is in\n{ended}");
        }
    }
}

/// The ServiceAccount makes these objects, and may be allowed to.
#[test]
fn a_user_who_may_not_try_what_flink_would_make_is_not_refused() {
    let (ended, server) = create(
        DEPLOYMENTS,
        (
            403,
            "deployments.apps is forbidden: User \"me\" cannot create resource \"deployments\" in API group \"apps\"",
        ),
    );
    assert_eq!(ended.code, 0, "{ended}");
    assert!(ended.stderr.contains("not checked beforehand, as it could not be read: "), "{ended}");
    assert!(server.writes().iter().any(|write| write.line.ends_with("/jobs")), "{:?}", server.writes());
}
