//! Which of Azure's services watches.

/// A monitoring service, by the shape of what it sends: Azure's own labels contradict each other (azure-platform §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Service {
    /// A metric against a fixed threshold.
    MetricStatic,
    /// A metric against a threshold that Azure computes.
    MetricDynamic,
    /// Metrics of several resources.
    MetricSeveralResources,
    /// Reachability from several places.
    WebTest,
    /// A query over logs, rules since 2020.
    LogV2,
    /// A query over logs, earlier rules.
    LogV1,
    /// A query over the logs of Application Insights, earlier rules.
    ApplicationInsights,
    /// A query over logs, told row by row.
    SimpleLog,
    /// An operation on a resource.
    ActivityAdministrative,
    /// A policy was evaluated.
    ActivityPolicy,
    /// Something was scaled.
    ActivityAutoscale,
    /// A finding of Defender for Cloud.
    ActivitySecurity,
    /// A recommendation of Advisor.
    ActivityRecommendation,
    /// Another event of the activity log.
    Activity,
    /// An incident, a maintenance or an advice of Azure itself.
    ServiceHealth,
    /// One resource is well, or is not.
    ResourceHealth,
    /// A budget is spent, or will be.
    Budget,
    /// Failure anomalies and the other smart detectors.
    SmartDetection,
    /// A rule over Prometheus metrics.
    Prometheus,
    /// Something else, by its essentials only.
    #[default]
    Other,
}

impl Service {
    /// The word in templates and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MetricStatic => "metric_static",
            Self::MetricDynamic => "metric_dynamic",
            Self::MetricSeveralResources => "metric_several_resources",
            Self::WebTest => "web_test",
            Self::LogV2 => "log_v2",
            Self::LogV1 => "log_v1",
            Self::ApplicationInsights => "application_insights",
            Self::SimpleLog => "simple_log",
            Self::ActivityAdministrative => "activity_administrative",
            Self::ActivityPolicy => "activity_policy",
            Self::ActivityAutoscale => "activity_autoscale",
            Self::ActivitySecurity => "activity_security",
            Self::ActivityRecommendation => "activity_recommendation",
            Self::Activity => "activity",
            Self::ServiceHealth => "service_health",
            Self::ResourceHealth => "resource_health",
            Self::Budget => "budget",
            Self::SmartDetection => "smart_detection",
            Self::Prometheus => "prometheus",
            Self::Other => "other",
        }
    }

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::MetricStatic => "metric alert",
            Self::MetricDynamic => "metric alert with a dynamic threshold",
            Self::MetricSeveralResources => "metric alert over several resources",
            Self::WebTest => "web test",
            Self::LogV2 | Self::LogV1 => "log alert",
            Self::ApplicationInsights => "log alert of Application Insights",
            Self::SimpleLog => "simple log alert",
            Self::ActivityAdministrative => "activity log, administrative",
            Self::ActivityPolicy => "activity log, policy",
            Self::ActivityAutoscale => "activity log, autoscale",
            Self::ActivitySecurity => "activity log, security",
            Self::ActivityRecommendation => "Azure Advisor",
            Self::Activity => "activity log",
            Self::ServiceHealth => "Azure service health",
            Self::ResourceHealth => "Azure resource health",
            Self::Budget => "budget",
            Self::SmartDetection => "smart detection",
            Self::Prometheus => "Prometheus rule",
            Self::Other => "Azure Monitor",
        }
    }
}
