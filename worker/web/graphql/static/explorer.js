"use strict";

// Nothing is asked before both headers are filled in: the schema, too, is for who may read badges.
const HEADERS = { Authorization: "Bearer ", "Opigno-Client-UUID": "" };
const QUERY = `# Fill in both headers below, then fetch the schema anew (the button at the lower left).
{
  getBadges(first: 20) {
    totalItems
    pageInfo { hasNextPage endCursor }
    edges {
      node {
        id
        title
        status
        earned(format: "j F Y")
        earningCriteria {
          __typename
          ... on BadgeEarningCriteriaSocialConnection { threshold currentThreshold period }
          ... on BadgeEarningCriteriaSocialEngagement { threshold currentThreshold }
        }
      }
    }
  }
}
`;

ReactDOM.createRoot(document.getElementById("explorer")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "graphql" }),
    defaultHeaders: JSON.stringify(HEADERS, null, 2),
    defaultQuery: QUERY,
    defaultEditorToolsVisibility: "headers",
    shouldPersistHeaders: false, // a token is not left behind in the browser
  }),
);
