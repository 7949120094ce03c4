// SPDX-License-Identifier: Apache-2.0
// Starts Swagger UI on this service's own description. Nothing is asked of another host: no
// validator, and a token that was entered is gone with the page.
'use strict';

window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  displayRequestDuration: true,
});
