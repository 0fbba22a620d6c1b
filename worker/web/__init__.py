"""The web application: GraphQL, event intake, health, metrics, admin (contract.md section 5)."""
