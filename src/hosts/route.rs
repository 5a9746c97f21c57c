//! From a method and a path to what is meant. Nothing is decoded or normalised: a path that needs it is not ours.

use http::Method;

use crate::domain::name::{ActionName, ConnectionName};

/// What a request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// An alert for an action of a connection.
    Deliver(ConnectionName, ActionName),
    /// Is the process alive?
    Live,
    /// How are its dependencies?
    Health,
    /// Not ours.
    Unknown,
    /// Ours, by another method.
    WrongMethod {
        /// The method that it has.
        allow: &'static str,
    },
}

/// Reads a method and a path.
pub fn route(method: &Method, path: &str) -> Route {
    let Some(rest) = path.strip_prefix("/api/") else {
        return Route::Unknown;
    };
    let mut segments = rest.split('/');
    let (route, allow) = match (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) {
        (Some("live"), None, ..) => (Route::Live, "GET"),
        (Some("health"), None, ..) => (Route::Health, "GET"),
        (Some("create-work-item"), Some(connection), action, None) => {
            let action = action.map_or_else(|| Ok(ActionName::default()), ActionName::parse);
            match (ConnectionName::parse(connection), action) {
                (Ok(connection), Ok(action)) => (Route::Deliver(connection, action), "POST"),
                _ => return Route::Unknown,
            }
        }
        _ => return Route::Unknown,
    };
    if method.as_str() == allow {
        route
    } else {
        Route::WrongMethod { allow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_paths_are_ours() {
        let deliver = |connection: &str, action: &str| {
            Route::Deliver(
                ConnectionName::parse(connection).unwrap(),
                ActionName::parse(action).unwrap(),
            )
        };
        assert_eq!(
            route(&Method::POST, "/api/create-work-item/contoso"),
            deliver("contoso", "default")
        );
        assert_eq!(
            route(&Method::POST, "/api/create-work-item/contoso/on-call"),
            deliver("contoso", "on-call")
        );
        assert_eq!(route(&Method::GET, "/api/live"), Route::Live);
        for path in [
            "/",
            "//",
            "/admin",
            "/../admin",
            "/api",
            "/api/",
            "/api/create-work-item",
            "/api/create-work-item/",
            "/api/create-work-item/contoso/",
            "/api/create-work-item/contoso/a/b",
            "/api/create-work-item/Contoso",
            "/api/create-work-item/%63ontoso",
            "/api/create-work-item/contoso%2fa",
            "/api/create-work-item//contoso",
            "/api/create-work-item/../live",
            "/API/live",
            "/api/live/",
            "/api/health/x",
        ] {
            assert_eq!(route(&Method::POST, path), Route::Unknown, "{path}");
            assert_eq!(route(&Method::GET, path), Route::Unknown, "{path}");
        }
        for method in [
            Method::GET,
            Method::PUT,
            Method::TRACE,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
        ] {
            assert_eq!(
                route(&method, "/api/create-work-item/contoso"),
                Route::WrongMethod { allow: "POST" }
            );
        }
        assert_eq!(
            route(&Method::POST, "/api/health"),
            Route::WrongMethod { allow: "GET" }
        );
    }
}
